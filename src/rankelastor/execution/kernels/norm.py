"""RMSNorm as one kernel."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, with_contiguous_rows
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenRMSNorm

_DIMS_OF_TOKENS = 3


@lowers(RMSNorm, PerTokenRMSNorm)
def rms_norm(layer: RMSNorm | PerTokenRMSNorm, context: Context) -> Operation:
    """Lower an RMSNorm with one gain, or with a gain per token."""
    del context
    return RmsNormOperation(layer)


class RmsNormOperation:
    """Compute gain * x / sqrt(mean(x^2) + epsilon) over the last axis."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def __call__(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normalise over the last axis."""
        gain = self.layer.weight
        if not self.fits(x):
            out: Tensor = self.layer.forward(x)
            return out
        return apply(_RmsNorm, x, gain)

    def fits(self, x: Tensor) -> bool:
        """Tell whether the kernel can compute this input with the gain that the layer has now."""
        gain = self.layer.weight
        return (
            isinstance(gain, Tensor)
            and kernels_may_compute(x, gain)
            and kernels_take(gain)
            and (gain.dim() == 1 or (gain.dim() == _DIMS_OF_TOKENS - 1 and x.dim() == _DIMS_OF_TOKENS))
            and x.shape[-gain.dim() :] == gain.shape
        )


class _RmsNorm(torch.autograd.Function):
    """One call of a kernel forward and one backward. Groups share a gain: the tokens, or all rows where it is one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        groups = _groups(x, gain)
        out = _empty_like(groups)
        inverse = x.new_empty(groups.shape[:2])
        call(
            "rms_norm_forward",
            {
                **_places("x", groups),
                **_places("out", out),
                "gain": gain,
                "gain_group": _distance_of_gains(gain),
                "inverse": inverse,
                **_sizes(groups),
            },
            rows=groups.shape[1],
            parts=num_parts(groups.shape[1]),
        )
        ctx.save_for_backward(x, inverse, gain)
        return out.view_as(x) if gain.dim() == 1 else out.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, inverse, gain = ctx.saved_tensors
        groups, gradients = _groups(x, gain), _groups(gradient, gain)
        parts = num_parts(groups.shape[1])
        dx, dgain = _empty_like(groups), Accumulator(gain.shape, parts=parts)
        call(
            "rms_norm_backward",
            {
                **_places("gradient", gradients),
                **_places("x", groups),
                **_places("dx", dx),
                "gain": gain,
                "gain_group": _distance_of_gains(gain),
                "inverse": inverse,
                "dgain": dgain,
                "gain_size": gain.numel(),
                **_sizes(groups),
            },
            rows=groups.shape[1],
            parts=parts,
        )
        return dx.view_as(x) if gain.dim() == 1 else dx.transpose(0, 1), dgain.sum()


def _groups(x: Tensor, gain: Tensor) -> Float[Tensor, "group row dim"]:
    groups = x.reshape(1, -1, x.shape[-1]) if gain.dim() == 1 else x.transpose(0, 1)
    return with_contiguous_rows(groups)


def _places(name: str, groups: Tensor) -> dict[str, Tensor | int]:
    return {name: groups, f"{name}_group": groups.stride(0), f"{name}_row": groups.stride(1)}


def _sizes(groups: Tensor) -> dict[str, int]:
    return dict(zip(("groups", "rows", "dim"), groups.shape, strict=True))


def _empty_like(groups: Tensor) -> Tensor:
    """Allocate a result in the same order in memory, if its rows are contiguous in that order."""
    empty = torch.empty_like(groups)
    return empty if empty.stride(2) == 1 else groups.new_empty(groups.shape)


def _distance_of_gains(gain: Tensor) -> int:
    return 0 if gain.dim() == 1 else gain.shape[1]
