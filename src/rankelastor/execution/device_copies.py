"""Copies of batches to a CUDA device that run beside the steps before them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rankelastor.schema import Batch


class DeviceCopies:
    """Copies batches through page-locked memory in a stream of its own, and waits for each copy.

    Called from a thread that makes batches ahead: that thread waits while the device copies and computes at once, and
    a batch that has come out of it lies on the device, so that its step waits for nothing.

    Args:
        device: a CUDA device. The stream that is current when this is made is the one that will use the batches.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._of_steps = torch.cuda.current_stream(device)
        self._of_copies = torch.cuda.Stream(device)

    def __call__(self, batch: Batch) -> Batch:
        """Copy the batch to the device."""
        pinned = batch.pin_memory()
        with torch.cuda.stream(self._of_copies):
            copied = pinned.to(self._device)
        self._of_copies.synchronize()
        for tensor in vars(copied).values():
            if tensor is not None:
                # Freed while a step that reads it still waits in the queue, its memory would go to the next copy.
                tensor.record_stream(self._of_steps)
        return copied


def copies_to(device: torch.device) -> Callable[[Batch], Batch] | None:
    """Make what copies batches to the device ahead of use; None where they are already.

    Example:
        >>> copies_to(torch.device("cpu")) is None
        True
    """
    return DeviceCopies(device) if device.type == "cuda" else None
