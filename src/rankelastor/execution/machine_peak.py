"""Measure the machine's peak: the floating-point operations per second of a large matrix product."""

from __future__ import annotations

import time
from functools import cache

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.device import precision_dtype

PROBE_SECONDS = 0.4
_SIZES = {"cpu": 1024, "cuda": 8192}


def machine_peak(settings: ExecutionSettings, device: torch.device) -> float:
    """Measure the FLOP/s of the best of several square matrix products, in the precision that ``settings`` mean here.

    The first call in a process takes under a second; its result is cached per device, precision and number of threads.
    Other work on the machine at the same time lowers the result.
    """
    return _measure_peak(device, precision_dtype(settings, device), torch.get_num_threads())


@cache
def _measure_peak(device: torch.device, dtype: torch.dtype, num_threads: int) -> float:
    del num_threads  # only part of the cache key: torch already uses this number
    size = _SIZES[device.type]
    generator = torch.Generator(device).manual_seed(0)  # a separate generator, since training uses the global one
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    best, began = _seconds_of_product(left, right, out), time.perf_counter()  # the first product warms up
    while time.perf_counter() - began < PROBE_SECONDS:
        best = min(best, _seconds_of_product(left, right, out))
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
