"""Dropout whose masks come from cheap random bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rankelastor.nn.fusing import applied
from rankelastor.nn.random_bytes import random_bytes

_NUM_BYTES = 256


@dataclass(frozen=True)
class Mask:
    """Which elements are kept: those whose byte is at least ``threshold``."""

    noise: UInt8[Tensor, ...]
    threshold: int

    @classmethod
    def draw(cls, shape: torch.Size, rate: float) -> Mask:
        """A mask for one call.

        A byte can only hold a rate that is a multiple of 1/256, so the threshold is drawn too: ``256 * rate`` rounded
        down or up, with probabilities that make each element's chance of being dropped exactly ``rate``
        (up to 2 ** -16).
        """
        count = math.prod(shape)
        drawn = random_bytes(count + 2)
        fraction = (int(drawn[count]) * _NUM_BYTES + int(drawn[count + 1])) / _NUM_BYTES**2
        scaled = _NUM_BYTES * rate
        return cls(drawn[:count].view(shape), int(scaled) + (fraction < scaled - int(scaled)))

    def times(self, x: Float[Tensor, ...], scale: float) -> Float[Tensor, ...]:
        """``scale * x`` where kept, zero elsewhere; a new tensor."""
        if self.threshold == _NUM_BYTES:  # no byte
            return torch.zeros_like(x)
        # Written as numbers of x's type: products of one type are several times as fast as those with booleans.
        kept = torch.ge(self.noise, self.threshold, out=torch.empty_like(x, memory_format=torch.contiguous_format))
        # One pass for both products.
        return torch.addcmul(x.new_zeros(()), kept, x, value=scale, out=kept)


class _CheapDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float) -> Tensor:
        mask, scale = Mask.draw(x.shape, rate), 1 / (1 - rate)
        ctx.mask, ctx.scale = mask, scale
        return mask.times(x, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.mask.times(gradient, ctx.scale), None


class Dropout(nn.Dropout):
    """Zero each element with probability ``p`` while training, and scale the others by 1 / (1 - p).

    On the CPU the masks come from random bytes, seeded from PyTorch's generator; the draws are other ones than those of
    ``torch.nn.Dropout``. On other devices and in compiled code it is that one.

    Example:
        >>> Dropout(0.5).eval()(torch.ones(2)).tolist()
        [1.0, 1.0]
    """

    @property
    def rate(self) -> float:
        """The probability that holds now: ``p`` while training, else 0."""
        return self.p if self.training else 0.0

    def forward(self, x: Float[Tensor, ...]) -> Float[Tensor, ...]:
        """Elements kept and scaled, or zero."""
        if self.rate == 0:
            return x
        if self.p == 1:
            return torch.zeros_like(x)
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(x, self.p)
        return applied(_CheapDropout, x, self.p)


class PerTokenDropout(Dropout):
    """The same for (batch, token, dim) that lies token by token in memory, as per-token layers put it out.

    Masks are drawn in that order, so that no pass has to jump between two orders.

    Example:
        >>> PerTokenDropout(0.5).eval()(torch.ones(1, 2, 1)).tolist()
        [[[1.0], [1.0]]]
    """

    def forward(self, x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Elements kept and scaled, or zero."""
        return super().forward(x.transpose(0, 1)).transpose(0, 1)
