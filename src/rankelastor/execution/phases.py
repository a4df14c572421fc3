"""The phases of a training step, and the function that is called when each begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

StepPhase = Literal["copy", "forward", "loss", "backward", "exchange", "optimiser", "done"]
"""``exchange`` is what a step does with other processes, and waits for."""
PhaseListener = Callable[[StepPhase], None]


def ignore_phase(_phase: StepPhase) -> None:
    """Do nothing: the default listener."""
