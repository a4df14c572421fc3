"""Where and how precisely to compute."""

from __future__ import annotations

import logging
import time
from functools import cache

import torch

from rankelastor.config.execution import ExecutionSettings, Precision
from rankelastor.errors import SettingsError

logger = logging.getLogger(__name__)

_PROBE_SIZE, _PROBE_ROUNDS = 512, 5
CLEARLY_FASTER = 1.5
"""From this speed-up on ``training.precision=auto`` takes bf16 on a CPU: casts around the products cost time too."""


def choose_device(settings: ExecutionSettings) -> torch.device:
    """Choose the device that ``training.device`` means on this machine; logs what follows for the precision.

    Raises:
        SettingsError: CUDA is asked for where there is none.
    """
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise SettingsError(
            "training.device must be a device that is there, but cuda was given and torch finds none; "
            "try training.device=cpu"
        )
    device = torch.device("cuda" if available and settings.device != "cpu" else "cpu")
    if settings.precision == "bf16" and device.type == "cpu" and bf16_speed_up() < 1:
        _say_that_bf16_is_slow()
    if settings.precision == "auto":
        _say_what_auto_chose(device)
    return device


@cache
def bf16_speed_up() -> float:
    """How much faster this CPU multiplies matrices in bf16 than in fp32: best of five products of 512 x 512."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left = torch.ones(_PROBE_SIZE, _PROBE_SIZE, dtype=dtype)
        rounds = []
        for _ in range(_PROBE_ROUNDS):
            began = time.perf_counter()
            left @ left
            rounds.append(time.perf_counter() - began)
        seconds[dtype] = min(rounds)
    return seconds[torch.float32] / seconds[torch.bfloat16]


@cache
def _say_that_bf16_is_slow() -> None:
    logger.warning(
        "training.precision=bf16 works on this CPU, but its products are %.1f times as fast as those in fp32; "
        "try training.precision=fp32",
        bf16_speed_up(),
    )


@cache
def _say_what_auto_chose(device: torch.device) -> None:
    if device.type == "cpu":
        reason = f"products in bf16 are {bf16_speed_up():.1f} times as fast as in fp32 on this CPU"
    else:
        reason = f"this GPU computes bf16 {'itself' if _has_native_bf16() else 'only by emulation'}"
    logger.info("training.precision=auto is %s here: %s", _automatic_precision(device), reason)


def precision_name(settings: ExecutionSettings, device: torch.device) -> Precision:
    """What ``training.precision`` means on this device.

    ``auto`` is bf16 on a CPU whose products in it are measured to be at least 1.5 times as fast as in fp32 (once a
    process), and on a GPU that has it in hardware; fp32 elsewhere.

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
    """Whether the GPU has bf16 in hardware; older ones only emulate it, slower than fp32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def chosen_precision(settings: ExecutionSettings, device: torch.device) -> torch.dtype:
    """The type of the products: as ``training.precision`` says."""
    return torch.bfloat16 if precision_name(settings, device) == "bf16" else torch.float32


def autocast(settings: ExecutionSettings, device: torch.device) -> torch.autocast:
    """Mixed precision as ``training.precision`` says: bf16 products, or everything in fp32."""
    return autocast_to(chosen_precision(settings, device), device)


def autocast_to(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """Products in this precision; fp32 leaves everything as it is."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)
