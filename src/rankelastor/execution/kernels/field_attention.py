"""Self-attention between fields as one kernel: its many small products and softmaxes stay in the caches of one core."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.interaction.attention import FieldAttention

_STEP = 8
"""STEP in field_attention.c."""


@lowers(FieldAttention)
def field_attention(layer: FieldAttention, context: Context) -> Operation | None:
    """Lower attention between fields without a LayerNorm."""
    is_plain = (
        all(context.is_plain(each, nn.Linear) for each in (layer.query, layer.key, layer.value))
        and (context.is_plain(layer.widen, nn.Linear) or context.is_plain(layer.widen, nn.Identity))
        and context.is_plain(layer.norm, nn.Identity)
        and context.is_plain(layer.dropout, Dropout)
    )
    return FieldAttentionOperation(layer, context.shadow(layer)) if is_plain else None


class FieldAttentionOperation:
    """ReLU(concat over heads of softmax(factor Q K^T) V + residual).

    Args:
        layer: the layer.
        plain: computes the layer by PyTorch's operations, where attention weights are dropped.
    """

    def __init__(self, layer: FieldAttention, plain: Operation) -> None:
        self.layer = layer
        self.plain = plain

    def __call__(self, fields: Float[Tensor, "batch field in_dim"]) -> Float[Tensor, "batch field attention_dim"]:
        """Let each field attend to all fields."""
        layer = self.layer
        if layer.dropout.rate > 0 or not self.fits(fields):
            plain: Tensor = self.plain(fields)
            return plain
        maps = self._maps()
        weight = torch.cat([each.weight for each in maps])
        return apply(_FieldAttention, fields, weight, len(maps), layer.num_heads, layer.factor, int(layer.residual))

    def fits(self, fields: Tensor) -> bool:
        """Tell whether all maps have the expected sizes: the kernel itself checks no bounds."""
        layer, maps = self.layer, self._maps()
        weights = [each.weight for each in maps]
        if not (kernels_may_compute(fields, weights[0]) and kernels_take(*weights)):
            return False
        width, in_dim = weights[0].shape
        return (
            fields.shape[2] == in_dim
            and all(each.weight.shape == (width, in_dim) and not isinstance(each.bias, Tensor) for each in maps)
            and width % layer.num_heads == 0
            and (width == in_dim or len(maps) > len((layer.query, layer.key, layer.value)) or not layer.residual)
        )

    def _maps(self) -> list[Any]:
        """List the maps of queries, keys and values, and that of the residual, if there is one."""
        layer = self.layer
        widens = layer.residual and isinstance(layer.widen, nn.Linear)
        return [layer.query, layer.key, layer.value, *([layer.widen] if widens else [])]


class _FieldAttention(torch.autograd.Function):
    """Attention between fields by one kernel call forward and one backward, which computes the maps again."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes arguments by position
        ctx: Any, x: Tensor, weight: Tensor, num_maps: int, num_heads: int, factor: float, residual: int
    ) -> Tensor:
        x = x.contiguous()
        rows, fields, in_dim = x.shape
        width, parts = len(weight) // num_maps, num_parts(rows)
        ctx.sizes = {"fields": fields, "in": in_dim, "width": width, "heads": num_heads, "maps": num_maps}
        ctx.sizes |= {"residual": residual, "factor": factor}
        floats = fields * (len(weight) + _padded(fields))
        block = rows_per_block(rows, parts=parts, floats_per_row=floats, num_weights=weight.numel())
        out = x.new_empty(rows, fields, width)
        call(
            "field_attention_forward",
            {
                "x": x,
                "weight": weight,
                **ctx.sizes,
                "block": block,
                "out": out,
                "scratch": x.new_empty(parts * block * floats),
            },
            rows=rows,
            parts=parts,
        )
        ctx.save_for_backward(x, weight, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, out = ctx.saved_tensors
        (rows, fields, _), parts = x.shape, num_parts(len(x))
        floats = fields * (2 * len(weight) + ctx.sizes["width"] + 2 * _padded(fields))
        block = rows_per_block(rows, parts=parts, floats_per_row=floats, num_weights=weight.numel())
        dx, dweight = torch.empty_like(x), Accumulator(weight.shape, parts=parts)
        call(
            "field_attention_backward",
            {
                "x": x,
                "weight": weight,
                **ctx.sizes,
                "block": block,
                "gradient": gradient.contiguous(),
                "out": out,
                "dx": dx,
                "dweight": dweight,
                "scratch": x.new_empty(parts * block * floats),
            },
            rows=rows,
            parts=parts,
        )
        return dx, dweight.sum(), None, None, None, None


def _padded(fields: int) -> int:
    """Round the width of a row of attention weights up to whole steps of the kernel's loops."""
    return -(-fields // _STEP) * _STEP
