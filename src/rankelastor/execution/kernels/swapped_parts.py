"""The mixing of RankUp, parts that are swapped after a norm with a residual around both, as one kernel."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, with_contiguous_rows
from rankelastor.nn.residual_norm import PreNormResidual


class SwappedPartsOperation:
    """x + swap_parts(norm(x))."""

    def __init__(self, layer: PreNormResidual) -> None:
        self.layer = layer

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Swap the parts of the normalised tokens and add the tokens."""
        if not self.fits(tokens):
            out: Tensor = self.layer.forward(tokens)
            return out
        return apply(_SwappedParts, tokens, self.layer.norm.weight)

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether the kernel can compute this input with the gain that the layer has now."""
        gain = self.layer.norm.weight
        num_tokens, dim = tokens.shape[1:]
        fits = kernels_may_compute(tokens, gain) and kernels_take(gain)
        return fits and gain.shape == (dim,) and dim % num_tokens == 0


class _SwappedParts(torch.autograd.Function):
    """x + swap_parts(norm(x)) by one kernel call forward and one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        x = with_contiguous_rows(x)
        rows, tokens, dim = x.shape
        parts = num_parts(rows)
        out, inverse = x.new_empty(x.shape), x.new_empty(rows, tokens)
        call(
            "swapped_parts_forward",
            {
                **_name_strides("x", x),
                "gain": gain,
                "inverse": inverse,
                **_name_strides("out", out),
                "scratch": x.new_empty(parts * tokens * dim),
                "tokens": tokens,
                "dim": dim,
            },
            rows=rows,
            parts=parts,
        )
        ctx.save_for_backward(x, gain, inverse)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, gain, inverse = ctx.saved_tensors
        gradient = with_contiguous_rows(gradient)
        rows, tokens, dim = x.shape
        parts = num_parts(rows)
        dx, dgain = x.new_empty(x.shape), Accumulator((dim,), parts=parts)
        call(
            "swapped_parts_backward",
            {
                **_name_strides("gradient", gradient),
                **_name_strides("x", x),
                "gain": gain,
                "inverse": inverse,
                **_name_strides("dx", dx),
                "dgain": dgain,
                "scratch": x.new_empty(parts * dim),
                "tokens": tokens,
                "dim": dim,
            },
            rows=rows,
            parts=parts,
        )
        return dx, dgain.sum()


def _name_strides(name: str, x: Tensor) -> dict[str, Tensor | int]:
    return {name: x, f"{name}_token": x.stride(1), f"{name}_row": x.stride(0)}
