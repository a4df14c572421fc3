"""Cheap random bytes for dropout masks, reproducible from PyTorch's seed."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

_LARGEST_SEED = 2**62

ByteSource = Callable[[int], Tensor]
"""Function that draws the given number of uniform random bytes, uint8 (count,)."""


def draw_seed(generator: torch.Generator | None = None) -> int:
    """Draw a seed from a generator of the CPU; None draws from PyTorch's global one.

    Example:
        >>> draw_seed(torch.Generator().manual_seed(7)) == draw_seed(torch.Generator().manual_seed(7))
        True
    """
    return int(torch.randint(_LARGEST_SEED, (), generator=generator))


def fresh_bytes(count: int) -> UInt8[Tensor, " count"]:
    """Draw ``count`` uniform bytes from a fresh stream, seeded from PyTorch's global generator.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> fresh_bytes(3).shape
        torch.Size([3])
    """
    return _draw_bytes(np.random.SFC64(draw_seed()), count)


class RandomBytes:
    """A stream of uniform bytes that can be restarted from a seed.

    NumPy's SFC64 gives eight bytes per draw, which makes it about 25 times as fast as PyTorch's own Bernoulli draws.

    Example:
        >>> stream = RandomBytes(7, 0)
        >>> first = stream(4)
        >>> stream.restart(7, 0)
        >>> torch.equal(first, stream(4))
        True
    """

    def __init__(self, *seed: int) -> None:
        self.restart(*seed)

    def restart(self, *seed: int) -> None:
        """Start again, with the stream that these numbers seed."""
        self._generator = np.random.SFC64(np.random.SeedSequence(seed))

    def __call__(self, count: int) -> UInt8[Tensor, " count"]:
        """Draw the next ``count`` bytes."""
        return _draw_bytes(self._generator, count)


def _draw_bytes(generator: np.random.SFC64, count: int) -> UInt8[Tensor, " count"]:
    words = np.asarray(generator.random_raw(-(-count // 8)), dtype=np.uint64)
    return torch.from_numpy(words.view(np.uint8)[:count])
