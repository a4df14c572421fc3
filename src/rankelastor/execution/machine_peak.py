"""Measure the machine's peak: the floating-point operations per second of a large matrix product."""

from __future__ import annotations

import time

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.device import precision_dtype

PROBE_SECONDS = 0.4
_SIZES = {"cpu": 1024, "cuda": 8192}
_SHORT, _SHORT_SIZE = 0.2, 512
"""Seconds below which a CPU multiplies smaller matrices, which reach about the same."""
_peaks: dict[tuple[torch.device, torch.dtype, int], float] = {}
"""The peaks that this process has measured."""


def machine_peak(settings: ExecutionSettings, device: torch.device, seconds: float = PROBE_SECONDS) -> float:
    """Measure the FLOP/s of the best of several square matrix products, in the precision that ``settings`` mean here.

    The first call in a process takes about ``seconds``, at least two products, of which one warms up. Its result is
    kept per device, precision and number of threads. Other work on the machine at the same time lowers the result.
    """
    key = device, precision_dtype(settings, device), torch.get_num_threads()
    if key not in _peaks:
        _peaks[key] = _measure_peak(device, key[1], seconds)
    return _peaks[key]


def _measure_peak(device: torch.device, dtype: torch.dtype, seconds: float) -> float:
    size = _SHORT_SIZE if device.type == "cpu" and seconds < _SHORT else _SIZES[device.type]
    generator = torch.Generator(device).manual_seed(0)  # a separate generator, since training uses the global one
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    best = _seconds_of_product(left, right, out)
    began = time.perf_counter()
    while True:
        best = min(best, _seconds_of_product(left, right, out))
        if time.perf_counter() - began >= seconds:
            return 2 * size**3 / best


def _seconds_of_product(left: torch.Tensor, right: torch.Tensor, out: torch.Tensor) -> float:
    wait_for(out.device)
    began = time.perf_counter()
    torch.mm(left, right, out=out)
    wait_for(out.device)
    return time.perf_counter() - began


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all queued work; on a CPU there is none."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
