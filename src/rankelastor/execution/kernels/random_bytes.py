"""The bytes of dropout masks, drawn by a kernel."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from rankelastor.native.calling import call
from rankelastor.native.library import kernels
from rankelastor.nn.random_bytes import RandomBytes

_BYTES_OF_WORD = 8


class KernelRandomBytes(RandomBytes):
    """A stream of the same bytes as ``RandomBytes`` with the same seed, in less than half of the time.

    NumPy's generator calls a function for each word of eight bytes.

    Example:
        >>> torch.equal(KernelRandomBytes(7)(10), RandomBytes(7)(10))
        True
    """

    def restart(self, *seed: int) -> None:
        """Start again, with the stream that these numbers seed."""
        super().restart(*seed)
        words: np.ndarray = self._generator.state["state"]["state"]
        self._state = torch.from_numpy(words.view(np.int64).copy())

    def __call__(self, count: int) -> UInt8[Tensor, " count"]:
        """Draw the next ``count`` bytes."""
        if kernels() is None:
            return super().__call__(count)
        words = torch.empty(-(-count // _BYTES_OF_WORD), dtype=torch.int64, device="cpu")
        call("draw_words", {"state": self._state, "words": words, "num_words": len(words)}, rows=1)
        return words.view(torch.uint8)[:count]
