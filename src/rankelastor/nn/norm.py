"""RMSNorm with the published epsilon, shared by all tokens or with a gain of its own for every token."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rankelastor.native.calling import OfParts, call, in_rows, kernels_fit, num_parts
from rankelastor.nn.fusing import applied

PUBLISHED_EPSILON = 1e-12
_DIMS_OF_TOKENS = 3


class RMSNorm(nn.RMSNorm):
    """gain * x / sqrt(mean(x^2) + 1e-12) over the last axis, in the precision of the gain also under autocast.

    Example:
        >>> RMSNorm(4)(torch.full((1, 4), 7.0)).tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=PUBLISHED_EPSILON)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normed values."""
        return rms_norm(x, self.weight)


def rms_norm(x: Float[Tensor, "*batch dim"], gain: Float[Tensor, "*token dim"]) -> Float[Tensor, "*batch dim"]:
    """``gain * x / sqrt(mean(x^2) + 1e-12)``; the gain is (dim,), or (token, dim) for x of (batch, token, dim)."""
    x = x.to(gain.dtype)
    if x.device.type == "cpu" and not torch.compiler.is_compiling():
        fits = x.shape[-gain.dim() :] == gain.shape and (gain.dim() == 1 or x.dim() == _DIMS_OF_TOKENS)
        norm = _NativeRmsNorm if fits and kernels_fit(gain) else _RmsNorm
        return applied(norm, x, gain)
    return functional.rms_norm(x, x.shape[-1:], eps=PUBLISHED_EPSILON) * gain


def inverse_rms(x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch 1"]:
    """1 / sqrt(mean(x^2) + 1e-12) over the last axis."""
    squares = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
    inverse: Tensor = squares.div_(x.shape[-1]).add_(PUBLISHED_EPSILON).rsqrt_()
    return inverse


def norm_gradients(
    gradient: Float[Tensor, "*batch dim"],
    x: Float[Tensor, "*batch dim"],
    inverse: Float[Tensor, "*batch 1"],
    gain: Float[Tensor, "*token dim"],
) -> tuple[Float[Tensor, "*batch dim"], Float[Tensor, "*token dim"]]:
    """Gradients of ``x`` and ``gain``, with as few passes over the batch as elementary operations allow.

    With s = inverse and g the gradient: dx = s * gain * g - x * s^3 * mean(gain * g * x); dgain = sum(g * x * s).
    """
    products = gradient * x
    if gain.dim() == 1:
        flat = products.flatten(0, -2)
        along = (flat @ gain).view(inverse.shape)
        gain_gradient = flat.T @ inverse.flatten()
    else:
        by_token = products.transpose(0, 1)
        along = torch.bmm(by_token, gain.unsqueeze(2)).transpose(0, 1)
        gain_gradient = torch.bmm(inverse.permute(1, 2, 0), by_token).squeeze(1)
    along = along * inverse.pow(3).mul_(-1 / x.shape[-1])
    return torch.mul(gradient, gain, out=products).mul_(inverse).addcmul_(x, along), gain_gradient


class _NativeRmsNorm(torch.autograd.Function):
    """One call of a kernel forward and one backward. Groups share a gain: the tokens, or all rows where it is one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        groups = _groups(x, gain)
        out = _empty_like(groups)
        inverse = x.new_empty(groups.shape[:2])
        call(
            "rms_norm_forward",
            *(groups, groups.stride(0), groups.stride(1), gain, _gain_distance(gain)),
            *(out, out.stride(0), out.stride(1), inverse, *groups.shape),
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
        dx, dgain = _empty_like(groups), OfParts(gain.shape, parts=parts)
        call(
            "rms_norm_backward",
            *(gradients, gradients.stride(0), gradients.stride(1), groups, groups.stride(0), groups.stride(1)),
            *(gain, _gain_distance(gain), inverse, dx, dx.stride(0), dx.stride(1), dgain, gain.numel(), *groups.shape),
            rows=groups.shape[1],
            parts=parts,
        )
        return dx.view_as(x) if gain.dim() == 1 else dx.transpose(0, 1), dgain.sum()


def _groups(x: Tensor, gain: Tensor) -> Float[Tensor, "group row dim"]:
    groups = x.reshape(1, -1, x.shape[-1]) if gain.dim() == 1 else x.transpose(0, 1)
    return in_rows(groups)


def _empty_like(groups: Tensor) -> Tensor:
    """In the same order in memory, if that has rows without gaps."""
    empty = torch.empty_like(groups)
    return empty if empty.stride(2) == 1 else groups.new_empty(groups.shape)


def _gain_distance(gain: Tensor) -> int:
    return 0 if gain.dim() == 1 else gain.shape[1]


class _RmsNorm(torch.autograd.Function):
    """PyTorch decomposes its norm on the CPU into a dozen passes forward and backward; this takes half of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor) -> Tensor:
        inverse = inverse_rms(x)
        ctx.save_for_backward(x, inverse, gain)
        return (x * inverse).mul_(gain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return norm_gradients(gradient, *ctx.saved_tensors)
