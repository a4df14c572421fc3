"""Full mixing as one kernel."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply, kernels_may_compute
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.native.calling import Accumulator, call, kernels_take, num_parts, rows_per_block, with_contiguous_rows
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.norm import RMSNorm


@lowers(FullMixing)
def full_mixing(layer: FullMixing, context: Context) -> Operation | None:
    """Lower X + linear(norm(flat(X)))."""
    plain = context.is_plain(layer.norm, RMSNorm) and context.is_plain(layer.linear, nn.Linear)
    return FullMixingOperation(layer) if plain else None


class FullMixingOperation:
    """X + linear(norm(flat(X))), computed in blocks of rows."""

    def __init__(self, layer: FullMixing) -> None:
        self.layer = layer

    def __call__(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute X + linear(norm(flat(X)))."""
        norm, linear = self.layer.norm, self.layer.linear
        if not self.fits(tokens):
            mixed: Tensor = self.layer.forward(tokens)
            return mixed
        return apply(_FullMixing, tokens, norm.weight, linear.weight, linear.bias)

    def fits(self, tokens: Tensor) -> bool:
        """Tell whether the kernel can compute this input with the parameters that the layer has now."""
        norm, linear = self.layer.norm, self.layer.linear
        flat = tokens.shape[1] * tokens.shape[2]
        return (
            kernels_may_compute(tokens, linear.weight)
            and kernels_take(norm.weight, linear.weight, linear.bias)
            and linear.weight.shape == (flat, flat)
            and norm.weight.shape == linear.bias.shape == (flat,)
        )


class _FullMixing(torch.autograd.Function):
    """Full mixing by one kernel call forward and one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = with_contiguous_rows(x)
        (rows, tokens, dim), parts = x.shape, num_parts(len(x))
        block = rows_per_block(rows, parts=parts, floats_per_row=4 * len(gain), num_weights=weight.numel())
        out, inverse = x.new_empty(x.shape), x.new_empty(rows)
        call(
            "full_mixing_forward",
            {
                "x": x,
                "x_token": x.stride(1),
                "x_row": x.stride(0),
                "gain": gain,
                "w": weight,
                "b": bias,
                "out": out,
                "inverse": inverse,
                "scratch": x.new_empty(parts * block * len(gain)),
                "tokens": tokens,
                "dim": dim,
                "block": block,
            },
            rows=rows,
            parts=parts,
        )
        ctx.parts, ctx.block = parts, block
        ctx.save_for_backward(x, gain, weight, inverse)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, weight, inverse = ctx.saved_tensors
        gradient, parts = with_contiguous_rows(gradient), ctx.parts
        (rows, tokens, dim), flat = x.shape, len(gain)
        dx = x.new_empty(x.shape)
        dgain, dweight, dbias = (Accumulator(shape, parts=parts) for shape in ((flat,), (flat, flat), (flat,)))
        call(
            "full_mixing_backward",
            {
                "gradient": gradient,
                "gradient_token": gradient.stride(1),
                "gradient_row": gradient.stride(0),
                "x": x,
                "x_token": x.stride(1),
                "x_row": x.stride(0),
                "gain": gain,
                "w": weight,
                "inverse": inverse,
                "dx": dx,
                "dgain": dgain,
                "dw": dweight,
                "db": dbias,
                "scratch": x.new_empty(parts * ctx.block * 4 * flat),
                "tokens": tokens,
                "dim": dim,
                "block": ctx.block,
            },
            rows=rows,
            parts=parts,
        )
        return dx, dgain.sum(), dweight.sum(), dbias.sum()
