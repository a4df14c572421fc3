"""Choose the device and the precision of the computation."""

from __future__ import annotations

import logging
import time
from functools import cache

import torch

from rankelastor.config.execution import ExecutionSettings, Precision
from rankelastor.errors import SettingsError
from rankelastor.execution.cores import one_core

logger = logging.getLogger(__name__)

_PROBE_SIZES, _PROBE_ROUNDS, _PROBE_SECONDS = (128, 512), 5, 0.1
_HOPELESS = 0.5
"""Speed-up in small products below which large ones, which would take half a second then, are not tried."""
CLEARLY_FASTER = 1.5
"""Least speed-up for which ``training.precision=auto`` selects bf16 on a CPU: casts take time, too."""


def choose_device(settings: ExecutionSettings) -> torch.device:
    """Choose the device that ``training.device`` means on this machine; log the precision that ``auto`` selects there.

    Raises:
        SettingsError: CUDA is asked for, but this machine has none.
    """
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise SettingsError(
            "training.device must be a device of this machine, but cuda was given and torch finds none; "
            "try training.device=cpu"
        )
    device = torch.device("cuda" if available and settings.device != "cpu" else "cpu")
    if settings.precision == "bf16" and device.type == "cpu" and bf16_speed_up() < 1:
        _warn_that_bf16_is_slow()
    if settings.precision == "auto":
        _log_automatic_precision(device)
    return device


@cache
def bf16_speed_up() -> float:
    """Measure how much faster a core of this CPU multiplies matrices in bf16 than in fp32.

    The best of five 512 x 512 products counts; where products take long, which is so in bf16 on many CPUs, of fewer.
    Where products of 128 x 128 already take twice as long in bf16, these are the answer.
    """
    speed_up = 0.0
    with one_core():
        for size in _PROBE_SIZES:
            speed_up = _seconds_of_product(size, torch.float32) / _seconds_of_product(size, torch.bfloat16)
            if speed_up < _HOPELESS:
                break
    return speed_up


def _seconds_of_product(size: int, dtype: torch.dtype) -> float:
    left = torch.ones(size, size, dtype=dtype)
    rounds: list[float] = []
    while len(rounds) < _PROBE_ROUNDS and sum(rounds) < _PROBE_SECONDS:
        began = time.perf_counter()
        left @ left
        rounds.append(time.perf_counter() - began)
    return min(rounds)


@cache
def _warn_that_bf16_is_slow() -> None:
    logger.warning(
        "training.precision=bf16 works on this CPU, but its products are %.1f times as fast as those in fp32; "
        "try training.precision=fp32",
        bf16_speed_up(),
    )


@cache
def _log_automatic_precision(device: torch.device) -> None:
    if device.type == "cpu":
        reason = f"products in bf16 are {bf16_speed_up():.1f} times as fast as in fp32 on this CPU"
    else:
        reason = f"this GPU computes bf16 {'itself' if _has_native_bf16() else 'only by emulation'}"
    logger.info("training.precision=auto is %s here: %s", _automatic_precision(device), reason)


def precision_name(settings: ExecutionSettings, device: torch.device) -> Precision:
    """Name the precision that ``training.precision`` means on this device.

    ``auto`` is bf16 on a CPU whose bf16 products are at least 1.5 times as fast as those in fp32 (measured once per
    process), and on a GPU with bf16 in hardware; fp32 elsewhere.

    Example:
        >>> precision_name(ExecutionSettings(precision="bf16"), torch.device("cpu"))
        'bf16'
    """
    return _automatic_precision(device) if settings.precision == "auto" else settings.precision


def _automatic_precision(device: torch.device) -> Precision:
    fast = bf16_speed_up() >= CLEARLY_FASTER if device.type == "cpu" else _has_native_bf16()
    return "bf16" if fast else "fp32"


@cache
def _has_native_bf16() -> bool:
    """Tell whether the GPU has bf16 in hardware; older GPUs emulate it, which is slower than fp32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def precision_dtype(settings: ExecutionSettings, device: torch.device) -> torch.dtype:
    """Return the dtype of the matrix products that ``training.precision`` means on this device."""
    return torch.bfloat16 if precision_name(settings, device) == "bf16" else torch.float32


def autocast(settings: ExecutionSettings, device: torch.device) -> torch.autocast:
    """Make the autocast context that ``training.precision`` means: matrix products in bf16, or everything in fp32."""
    return autocast_to(precision_dtype(settings, device), device)


def autocast_to(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """Make the autocast context for matrix products in this precision; for fp32 it is disabled."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)
