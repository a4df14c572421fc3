"""Split mixing as one kernel."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, with_contiguous_rows
from rankelastor.nn.mixing.split import SplitMixing


@lowers(SplitMixing)
def split_mixing(layer: SplitMixing, context: Context) -> Operation | None:
    """Lower LayerNorm(X + swap_parts(X))."""
    return SplitMixingOperation(layer) if context.is_plain(layer.norm, nn.LayerNorm) else None


class SplitMixingOperation:
    """Compute LayerNorm(X + swap_parts(X))."""

    def __init__(self, layer: SplitMixing) -> None:
        self.layer = layer

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens."""
        norm = self.layer.norm
        if not self.fits(tokens):
            mixed: Tensor = self.layer.forward(tokens)
            return mixed
        return apply(_SplitMixing, tokens, norm.weight, norm.bias, float(norm.eps))

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether the kernel can compute this input with the parameters that the layer has now."""
        norm = self.layer.norm
        num_tokens, dim = tokens.shape[1:]
        return (
            kernels_may_compute(tokens, norm.weight)
            and kernels_take(norm.weight, norm.bias)
            and norm.weight.shape == norm.bias.shape == (dim,)
            and dim % num_tokens == 0
        )


class _SplitMixing(torch.autograd.Function):
    """One call of a kernel forward and one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
        x = with_contiguous_rows(x)
        rows, tokens, dim = x.shape
        out, normed, inverse = x.new_empty(x.shape), x.new_empty(x.shape), x.new_empty(rows, tokens)
        call(
            "split_mixing_forward",
            {
                "x": x,
                "x_token": x.stride(1),
                "x_row": x.stride(0),
                "gain": gain,
                "bias": bias,
                "epsilon": epsilon,
                "out": out,
                "normed": normed,
                "inverse": inverse,
                "tokens": tokens,
                "dim": dim,
            },
            rows=rows,
            parts=num_parts(rows),
        )
        ctx.save_for_backward(gain, normed, inverse)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gain, normed, inverse = ctx.saved_tensors
        gradient = with_contiguous_rows(gradient)
        rows, tokens, dim = normed.shape
        parts = num_parts(rows)
        dx = torch.empty_like(normed)
        dgain, dbias, scratch = (Accumulator(shape, parts=parts) for shape in ((dim,), (dim,), (tokens, dim)))
        call(
            "split_mixing_backward",
            {
                "gradient": gradient,
                "gradient_token": gradient.stride(1),
                "gradient_row": gradient.stride(0),
                "gain": gain,
                "normed": normed,
                "inverse": inverse,
                "dx": dx,
                "dgain": dgain,
                "dbias": dbias,
                "scratch": scratch,
                "tokens": tokens,
                "dim": dim,
            },
            rows=rows,
            parts=parts,
        )
        return dx, dgain.sum(), dbias.sum(), None
