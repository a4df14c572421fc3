"""What a training reached, against what the machine can do: the `speed` of ``result.json``."""

from __future__ import annotations

import sys

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.models.cost import Cost
from rankelastor.runs.result import Speed


def speed_of(cost: Cost, *, examples_per_second: float, execution: ExecutionSettings, device: torch.device) -> Speed:
    """Compute the speed of a training that has just ended in this process; measures the machine's peak meanwhile."""
    memory = peak_memory_bytes()  # before the probe, which allocates its own
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
    """Read the most memory that this process held resident since it began; None on Windows, which does not tell it so.

    Example:
        >>> (peak_memory_bytes() or 0) > 10_000_000
        True
    """
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - there is none on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere
