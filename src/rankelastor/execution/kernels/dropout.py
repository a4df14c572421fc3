"""Dropout with byte masks: the backward pass keeps one byte per element, not a mask in the dtype of the activations."""

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
    """Lower dropout of tokens in token-major memory order."""
    drop = DropoutOperation(layer, context.random_bytes)
    return lambda tokens: drop(tokens.transpose(0, 1)).transpose(0, 1)


class DropoutOperation:
    """Dropout at the rate that the layer has at each call, with masks from a stream of bytes."""

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
        """Draw the noise, threshold and scale for a kernel that applies dropout itself; noise None drops nothing."""
        rate = self.layer.rate
        if rate == 0:
            return None, 0, 1.0
        mask = Mask.draw(torch.Size(shape), rate, self.random_bytes)
        return mask.noise, mask.threshold, 1 / (1 - rate)


class _ByteMaskDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, random_bytes: ByteSource) -> Tensor:
        ctx.mask, ctx.scale = Mask.draw(x.shape, rate, random_bytes), 1 / (1 - rate)
        return _drop_and_scale(x, ctx.mask, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _drop_and_scale(gradient, ctx.mask, ctx.scale), None, None


def _drop_and_scale(x: Tensor, mask: Mask, scale: float) -> Tensor:
    if mask.threshold == NUM_BYTES:  # every byte is below the threshold
        return torch.zeros_like(x)
    # The mask has the dtype of x: products within one dtype are several times as fast as those with booleans.
    kept = torch.ge(mask.noise, mask.threshold, out=torch.empty_like(x, memory_format=torch.contiguous_format))
    # addcmul computes both products in one pass.
    return torch.addcmul(x.new_zeros(()), kept, x, value=scale, out=kept)
