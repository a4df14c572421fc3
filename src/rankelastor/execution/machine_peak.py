"""The machine's measured ceiling: how many floating-point operations a second a large matrix product reaches."""

from __future__ import annotations

import time
from functools import cache

import torch

from rankelastor.config.execution import ExecutionSettings
from rankelastor.execution.device import chosen_precision

PROBE_SECONDS = 0.4
_SIZES = {"cpu": 1024, "cuda": 8192}


def machine_peak(settings: ExecutionSettings, device: torch.device) -> float:
    """FLOP/s of the best of several square matrix products in the precision that ``settings`` mean on this device.

    Takes under a second, the first time in a process; then it is known for the same device, precision and number of
    threads. It is what this machine gives now: beside other work it measures less.
    """
    return _measured(device, chosen_precision(settings, device), torch.get_num_threads())


@cache
def _measured(device: torch.device, dtype: torch.dtype, num_threads: int) -> float:
    del num_threads  # part of the key: torch is set to that many
    size = _SIZES[device.type]
    generator = torch.Generator(device).manual_seed(0)  # of its own: the global one is the training's
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    best, began = _seconds_of_product(left, right, out), time.perf_counter()  # the first one warms up
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
    """Wait until the device has done what it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
