"""Copy batches to a CUDA device while earlier steps are computed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rankelastor.schema import Batch


class DeviceCopies:
    """Copy batches through page-locked memory in a separate CUDA stream, and wait for each copy.

    It is called from the thread that reads batches ahead: that thread waits while the device copies and computes at the
    same time, and each batch is on the device before its step begins.

    Args:
        device: a CUDA device. The stream that is current at construction is the one that will use the batches.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._step_stream = torch.cuda.current_stream(device)
        self._copy_stream = torch.cuda.Stream(device)

    def __call__(self, batch: Batch) -> Batch:
        """Copy the batch to the device."""
        pinned = batch.pin_memory()
        with torch.cuda.stream(self._copy_stream):
            copied = pinned.to(self._device)
        self._copy_stream.synchronize()
        for tensor in vars(copied).values():
            if tensor is not None:
                # Otherwise its memory could be reused by the next copy while a queued step still reads it.
                tensor.record_stream(self._step_stream)
        return copied


def copies_to(device: torch.device) -> Callable[[Batch], Batch] | None:
    """Make the function that copies batches to the device ahead of use; None for the CPU, where they already are.

    Example:
        >>> copies_to(torch.device("cpu")) is None
        True
    """
    return DeviceCopies(device) if device.type == "cuda" else None
