"""Where and how precisely to compute."""

from __future__ import annotations

import logging

import torch

from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError

logger = logging.getLogger(__name__)


def choose_device(settings: TrainingSettings) -> torch.device:
    """The device that ``training.device`` means on this machine; sets the number of CPU threads if asked.

    Raises:
        SettingsError: CUDA is asked for where there is none.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise SettingsError(
            "training.device must be a device that is there, but cuda was given and torch finds none; "
            "try training.device=cpu"
        )
    return torch.device("cuda" if available and settings.device != "cpu" else "cpu")


def autocast(settings: TrainingSettings, device: torch.device) -> torch.autocast:
    """Mixed precision as ``training.precision`` says: bf16 products, or everything in fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=settings.precision == "bf16")
