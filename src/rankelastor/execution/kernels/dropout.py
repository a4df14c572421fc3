"""Dropout with masks of bytes: no mask is kept as numbers of the activations' width."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankelastor.execution.kernels.operation import apply
from rankelastor.execution.rules import Context, Operation, lowers
from rankelastor.nn.dropout import NUM_BYTES, Dropout, Mask, PerTokenDropout
from rankelastor.nn.random_bytes import ByteSource


@lowers(Dropout, needs_kernels=False)
def dropout(layer: Dropout, context: Context) -> Operation:
    """Lower dropout."""
    return DropoutOperation(layer, context.random_bytes)


@lowers(PerTokenDropout, needs_kernels=False)
def per_token_dropout(layer: PerTokenDropout, context: Context) -> Operation:
    """Lower dropout of tokens that lie token by token in memory."""
    drop = DropoutOperation(layer, context.random_bytes)
    return lambda tokens: drop(tokens.transpose(0, 1)).transpose(0, 1)


class DropoutOperation:
    """Drop elements as a dropout layer says at each call, with masks from a stream of bytes."""

    def __init__(self, layer: Dropout, random_bytes: ByteSource) -> None:
        self.layer = layer
        self.random_bytes = random_bytes

    def __call__(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Drop elements and scale the others."""
        rate = self.layer.rate
        if rate == 0:
            return x
        if rate == 1:
            return torch.zeros_like(x)
        return apply(_ByteMaskDropout, x, rate, self.random_bytes)

    def draw(self, *shape: int) -> tuple[Tensor | None, int, float]:
        """Draw what a kernel needs to drop elements itself: noise (None: nothing is dropped), threshold and scale."""
        rate = self.layer.rate
        if rate == 0:
            return None, 0, 1.0
        mask = Mask.draw(torch.Size(shape), rate, self.random_bytes)
        return mask.noise, mask.threshold, 1 / (1 - rate)


class _ByteMaskDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, random_bytes: ByteSource) -> Tensor:
        ctx.mask, ctx.scale = Mask.draw(x.shape, rate, random_bytes), 1 / (1 - rate)
        return _scaled_where_kept(x, ctx.mask, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _scaled_where_kept(gradient, ctx.mask, ctx.scale), None, None


def _scaled_where_kept(x: Tensor, mask: Mask, scale: float) -> Tensor:
    if mask.threshold == NUM_BYTES:  # no byte reaches it
        return torch.zeros_like(x)
    # Written as numbers of x's type: products of one type are several times as fast as those with booleans.
    kept = torch.ge(mask.noise, mask.threshold, out=torch.empty_like(x, memory_format=torch.contiguous_format))
    # One pass for both products.
    return torch.addcmul(x.new_zeros(()), kept, x, value=scale, out=kept)
