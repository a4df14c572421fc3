"""The speed of a training relative to the machine's peak, and its memory: ``speed`` of ``result.json``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.machine_peak import PROBE_SECONDS, machine_peak
from rankelastor.models.cost import Cost
from rankelastor.runs.result import Speed

_LARGEST_SHARE = 0.02
"""Of the time of a training, how much measuring may add, unless two products take longer."""


def speed_of(
    cost: Cost,
    *,
    examples_per_second: float,
    seconds: float,
    execution: ExecutionSettings,
    device: torch.device,
    forecast_bytes: int | None = None,
) -> Speed:
    """Compute the speed of a training that has just ended in this process, and measure the machine's peak.

    ``seconds`` is how long the training took, of which measuring takes at most a fiftieth more; ``forecast_bytes`` is
    the peak memory that was expected.
    """
    memory = peak_memory_bytes()  # read before machine_peak, which allocates matrices
    device_memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    achieved = cost.training_flops_per_example * examples_per_second
    peak = machine_peak(execution, device, min(PROBE_SECONDS, _LARGEST_SHARE * seconds))
    return Speed(
        dense_flops_per_second=round(achieved),
        machine_peak_flops_per_second=round(peak),
        share_of_machine_peak=round(achieved / peak, 6),
        peak_memory_bytes=memory,
        peak_device_memory_bytes=device_memory,
        forecast_memory_bytes=forecast_bytes,
    )


def current_memory_bytes(device: torch.device) -> int:
    """Read the memory that this process holds resident, or that PyTorch holds on a CUDA device; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # not on Linux
        return peak_memory_bytes() or 0
    return pages * os.sysconf("SC_PAGE_SIZE")


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
