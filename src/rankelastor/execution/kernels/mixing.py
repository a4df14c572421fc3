"""Mixings as one operation each, where there are kernels."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rankelastor.native.calling import OfParts, call, in_rows, kernels_fit, num_parts, row_blocks
from rankelastor.nn.fusing import applied, can_fuse
from rankelastor.nn.norm import RMSNorm


def split_mixing_fits(tokens: Float[Tensor, "batch token dim"], norm: nn.Module) -> bool:
    """Whether ``split_mixing`` may stand for the mixing and can compute it."""
    num_tokens, dim = tokens.shape[1:]
    return (
        type(norm) is nn.LayerNorm
        and can_fuse(tokens, norm)
        and kernels_fit(norm.weight, norm.bias)
        and norm.weight.shape == (dim,)
        and dim % num_tokens == 0
    )


def split_mixing(tokens: Float[Tensor, "batch token dim"], norm: nn.LayerNorm) -> Float[Tensor, "batch token dim"]:
    """``norm(tokens + swap_parts(tokens))``."""
    return applied(_NativeSplitMixing, tokens, norm.weight, norm.bias, float(norm.eps))


def full_mixing_fits(tokens: Float[Tensor, "batch token dim"], norm: nn.Module, linear: nn.Module) -> bool:
    """Whether ``full_mixing`` may stand for the mixing and can compute it."""
    flat = tokens.shape[1] * tokens.shape[2]
    return (
        type(linear) is nn.Linear
        and type(norm) is RMSNorm
        and can_fuse(tokens, linear, norm)
        and kernels_fit(norm.weight, linear.weight, linear.bias)
        and linear.weight.shape == (flat, flat)
        and norm.weight.shape == (flat,)
    )


def full_mixing(
    tokens: Float[Tensor, "batch token dim"], norm: RMSNorm, linear: nn.Linear
) -> Float[Tensor, "batch token dim"]:
    """``tokens + linear(norm(tokens))``, tokens side by side inside."""
    return applied(_NativeFullMixing, tokens, norm.weight, linear.weight, linear.bias)


class _NativeSplitMixing(torch.autograd.Function):
    """One call of a kernel forward and one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
        x = in_rows(x)
        rows, tokens, dim = x.shape
        out, normed, inverse = x.new_empty(x.shape), x.new_empty(x.shape), x.new_empty(rows, tokens)
        call(
            "split_mixing_forward",
            *(x, x.stride(1), x.stride(0), gain, bias, epsilon, out, normed, inverse, tokens, dim),
            rows=rows,
            parts=num_parts(rows),
        )
        ctx.save_for_backward(gain, normed, inverse)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gain, normed, inverse = ctx.saved_tensors
        gradient = in_rows(gradient)
        rows, tokens, dim = normed.shape
        parts = num_parts(rows)
        dx = torch.empty_like(normed)
        dgain, dbias, scratch = (OfParts(shape, parts=parts) for shape in ((dim,), (dim,), (tokens, dim)))
        call(
            "split_mixing_backward",
            *(gradient, gradient.stride(1), gradient.stride(0), gain, normed, inverse),
            *(dx, dgain, dbias, scratch, tokens, dim),
            rows=rows,
            parts=parts,
        )
        return dx, dgain.sum(), dbias.sum(), None


class _NativeFullMixing(torch.autograd.Function):
    """One call of a kernel forward and one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = in_rows(x)
        (rows, tokens, dim), parts = x.shape, num_parts(len(x))
        block = row_blocks(-(-rows // parts), floats_a_row=4 * len(gain), num_weights=weight.numel())
        out, inverse = x.new_empty(x.shape), x.new_empty(rows)
        call(
            "full_mixing_forward",
            *(x, x.stride(1), x.stride(0), gain, weight, bias, out, inverse),
            *(x.new_empty(parts * block * len(gain)), tokens, dim, block),
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
        gradient, parts = in_rows(gradient), ctx.parts
        (rows, tokens, dim), flat = x.shape, len(gain)
        dx, shapes = x.new_empty(x.shape), ((flat,), (flat, flat), (flat,))
        sums = [OfParts(shape, parts=parts) for shape in shapes]
        call(
            "full_mixing_backward",
            *(gradient, gradient.stride(1), gradient.stride(0), x, x.stride(1), x.stride(0), gain, weight, inverse),
            *(dx, *sums, x.new_empty(parts * ctx.block * 4 * flat), tokens, dim, ctx.block),
            rows=rows,
            parts=parts,
        )
        return dx, *(each.sum() for each in sums)
