"""The phases of a training step, and the function that is called when each begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

StepPhase = Literal["copy", "forward", "loss", "backward", "optimiser", "done"]
PhaseListener = Callable[[StepPhase], None]


def ignore_phase(_phase: StepPhase) -> None:
    """Do nothing: the default listener."""
