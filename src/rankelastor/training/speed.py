"""What a training reached, against what the machine can do: the `speed` of ``result.json``."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.execution.machine_peak import machine_peak
from rankelastor.models.cost import Cost


@dataclass(frozen=True)
class Speed:
    """Speed and memory of a training.

    ``dense_flops_per_second``: training FLOPs an example (``Cost``) times examples a second of training epochs, waiting
    for data included and evaluations left out. ``machine_peak_flops_per_second``: a large matrix product on this device
    in this precision. ``share_of_machine_peak``: the one over the other. ``peak_memory_bytes``: the most that the
    process held resident so far; None where the system does not tell. ``peak_device_memory_bytes``: the most that
    PyTorch held allocated on a CUDA device; None on a CPU.
    """

    dense_flops_per_second: float
    machine_peak_flops_per_second: float
    share_of_machine_peak: float
    peak_memory_bytes: int | None
    peak_device_memory_bytes: int | None

    def as_dict(self) -> dict[str, float | int]:
        """Plain values; what is not known is left out."""
        values = {
            "dense_flops_per_second": round(self.dense_flops_per_second),
            "machine_peak_flops_per_second": round(self.machine_peak_flops_per_second),
            "share_of_machine_peak": round(self.share_of_machine_peak, 6),
            "peak_memory_bytes": self.peak_memory_bytes,
            "peak_device_memory_bytes": self.peak_device_memory_bytes,
        }
        return {name: value for name, value in values.items() if value is not None}


def speed_of(cost: Cost, *, examples_per_second: float, settings: TrainingSettings, device: torch.device) -> Speed:
    """The speed of a training that has just ended in this process; measures the machine's peak (under a second)."""
    memory = peak_memory_bytes()  # before the probe, which allocates its own
    device_memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    achieved = cost.training_flops_per_example * examples_per_second
    peak = machine_peak(settings, device)
    return Speed(
        dense_flops_per_second=achieved,
        machine_peak_flops_per_second=peak,
        share_of_machine_peak=achieved / peak,
        peak_memory_bytes=memory,
        peak_device_memory_bytes=device_memory,
    )


def peak_memory_bytes() -> int | None:
    """The most memory that this process held resident since it began; None on Windows, which does not tell it so.

    Example:
        >>> (peak_memory_bytes() or 0) > 10_000_000
        True
    """
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - there is none on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # bytes there, KiB elsewhere
