"""A residual with a norm before its layer: together with the layer where one kernel computes all three."""

from __future__ import annotations

from rankelastor.execution.kernels.swapped_parts import SwappedPartsOperation
from rankelastor.execution.kernels.swiglu import SwiGluOperation, holds_swiglu
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.mixing.heads import RevertedHeadMixing, SwappedParts
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.residual_norm import PreNormResidual


@lowers(PreNormResidual)
def pre_norm_residual(layer: PreNormResidual, context: Context) -> Operation | None:
    """Lower a residual around a norm and a SwiGLU or swapped parts; around other layers it is computed as it is."""
    if holds_swiglu(layer, context):
        return SwiGluOperation(layer, layer.layer, norm=layer.norm)
    swaps = context.is_plain(layer.layer, SwappedParts) and context.is_plain(layer.norm, RMSNorm)
    return SwappedPartsOperation(layer) if swaps else None


@lowers(RevertedHeadMixing)
def reverted_head_mixing(layer: RevertedHeadMixing, context: Context) -> Operation | None:
    """Lower a mixing in heads whose layer is a SwiGLU."""
    between = layer.between
    if not (context.is_plain(between, PreNormResidual) and holds_swiglu(between, context)):
        return None
    return SwiGluOperation(layer, between.layer, norm=between.norm, heads=layer)
