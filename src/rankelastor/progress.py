"""How long work reports that it moves on. Libraries call a listener; the command line draws it."""

from __future__ import annotations

from typing import Protocol


class ProgressListener(Protocol):
    """Hears of stages of work, one after the other."""

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """A stage begins: ``total`` amounts of ``unit`` ("rows", "bytes", "examples") are to be done."""

    def advance(self, amount: int, **figures: float) -> None:
        """So much more of the stage is done; ``figures`` are current values worth showing (loss=0.31)."""

    def end(self) -> None:
        """The stage is done."""


class SilentProgress:
    """A listener that shows nothing: the default of every library function."""

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Do nothing."""

    def advance(self, amount: int, **figures: float) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""
