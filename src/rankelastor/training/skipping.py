"""Copies of what a forward pass changes, so that a step can be left out."""

from __future__ import annotations

import torch
from torch import nn

_MOST_ELEMENTS = 1 << 20
"""Larger buffers are taken for tables of vectors, which no forward pass changes."""


class BufferCopies:
    """Copies of the buffers of a model, such as running means, which a forward pass in training changes.

    Example:
        >>> norm = nn.BatchNorm1d(1)
        >>> copies = BufferCopies(norm)
        >>> copies.take()
        >>> _ = norm(torch.tensor([[1.0], [float("nan")]]))
        >>> copies.restore()
        >>> norm.running_mean
        tensor([0.])
    """

    def __init__(self, model: nn.Module) -> None:
        self._buffers = [buffer for buffer in model.buffers() if buffer.numel() <= _MOST_ELEMENTS]
        self._copies = [torch.empty_like(buffer) for buffer in self._buffers]

    @torch.no_grad()
    def take(self) -> None:
        """Copy the present values."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            copy.copy_(buffer)

    @torch.no_grad()
    def restore(self) -> None:
        """Set the buffers to the values of the last copy."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            buffer.copy_(copy)
