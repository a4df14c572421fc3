"""The speed of a training relative to the machine's peak, and its memory: ``speed`` of ``result.json``."""

from __future__ import annotations

import sys

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.models.cost import Cost
from rankelastor.runs.result import Speed


def speed_of(cost: Cost, *, examples_per_second: float, execution: ExecutionSettings, device: torch.device) -> Speed:
    """Compute the speed of a training that has just ended in this process, and measure the machine's peak."""
    memory = peak_memory_bytes()  # read before machine_peak, which allocates matrices
    device_memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    achieved = cost.training_flops_per_example * examples_per_second
    peak = machine_peak(execution, device)
    return Speed(
        dense_flops_per_second=round(achieved),
        machine_peak_flops_per_second=round(peak),
        share_of_machine_peak=round(achieved / peak, 6),
        peak_memory_bytes=memory,
        peak_device_memory_bytes=device_memory,
    )


def peak_memory_bytes() -> int | None:
    """Read the peak resident memory of this process since its start; None on Windows, which has no ``getrusage``.

    Example:
        >>> (peak_memory_bytes() or 0) > 10_000_000
        True
    """
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - the module does not exist on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes on macOS, KiB elsewhere
