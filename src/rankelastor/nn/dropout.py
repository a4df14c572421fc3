"""Dropout whose masks are drawn from cheap random bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.nn.random_bytes import ByteSource, fresh_bytes

NUM_BYTES = 256


@dataclass(frozen=True)
class Mask:
    """A dropout mask: elements whose byte is at least ``threshold`` are kept."""

    noise: UInt8[Tensor, "*shape"]
    threshold: int

    @classmethod
    def draw(cls, shape: torch.Size, rate: float, source: ByteSource = fresh_bytes) -> Mask:
        """Draw a mask for one call.

        With bytes alone the rate could only be a multiple of 1/256, so the threshold is random too: ``256 * rate``
        rounded down or up, with probabilities that make each element's chance of being dropped exactly ``rate`` (up to
        2 ** -16).
        """
        listener = _listener.get()
        return cls._draw(shape, rate, source) if listener is None else listener(partial(cls._draw, shape, rate, source))

    @classmethod
    def _draw(cls, shape: torch.Size, rate: float, source: ByteSource) -> Mask:
        count = math.prod(shape)
        drawn = source(count + 2)
        fraction = (int(drawn[count]) * NUM_BYTES + int(drawn[count + 1])) / NUM_BYTES**2
        scaled = NUM_BYTES * rate
        return cls(drawn[:count].view(shape), int(scaled) + (fraction < scaled - int(scaled)))

    def to_numbers(self, dtype: torch.dtype) -> Float[Tensor, "*shape"]:
        """Return 1 where an element is kept and 0 where it is dropped."""
        if self.threshold == NUM_BYTES:  # every byte is below the threshold
            return torch.zeros(self.noise.shape, dtype=dtype)
        return (self.noise >= self.threshold).to(dtype)


DrawListener = Callable[[Callable[[], Mask]], Mask]
"""Function of what draws a mask, again at each call; it gives the mask to use, which keeps the same elements."""
_listener: ContextVar[DrawListener | None] = ContextVar("_listener", default=None)


@contextmanager
def hear_draws(listener: DrawListener) -> Iterator[None]:
    """Let ``listener`` draw each mask of this thread within the context.

    Example:
        >>> thresholds = []
        >>> def note(draw):
        ...     mask = draw()
        ...     thresholds.append(mask.threshold)
        ...     return mask
        >>> with hear_draws(note):
        ...     _ = Dropout(0.5)(torch.ones(3))
        >>> thresholds
        [128]
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Dropout(nn.Dropout):
    """Zero each element with probability ``p`` while training, and scale the others by 1 / (1 - p).

    On the CPU the masks come from ``random_bytes``: a fresh stream per call, seeded from PyTorch's generator, unless
    an execution sets a stream of its own. The draws differ from those of ``torch.nn.Dropout``. On other devices
    and in compiled code they are those of ``torch.nn.functional.dropout``.

    Example:
        >>> Dropout(0.5).eval()(torch.ones(2)).tolist()
        [1.0, 1.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)
        self.random_bytes: ByteSource = fresh_bytes

    @property
    def rate(self) -> float:
        """Probability in force: ``p`` while training, else 0."""
        return self.p if self.training else 0.0

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Drop elements and scale the others."""
        if self.rate == 0:
            return x
        if self.p == 1:
            return torch.zeros_like(x)
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(x, self.p)
        return x * Mask.draw(x.shape, self.p, self.random_bytes).to_numbers(x.dtype) * (1 / (1 - self.p))


class PerTokenDropout(Dropout):
    """Dropout for (batch, token, dim) in token-major memory order, as per-token layers return it.

    Masks are drawn in the same order, so that both are read contiguously.

    Example:
        >>> PerTokenDropout(0.5).eval()(torch.ones(1, 2, 1)).tolist()
        [[[1.0], [1.0]]]
    """

    def forward(self, x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Drop elements and scale the others."""
        return super().forward(x.transpose(0, 1)).transpose(0, 1)
