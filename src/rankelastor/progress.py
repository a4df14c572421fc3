"""Progress of long work. The library calls a listener; the command line draws it."""

from __future__ import annotations

from typing import Protocol


class ProgressListener(Protocol):
    """Receives the progress of work that is done in stages, one after the other."""

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Begin a stage of ``total`` units; ``unit`` names them ("rows", "bytes", "examples")."""

    def advance(self, amount: int, **figures: float) -> None:
        """Add ``amount`` units to what is done; ``figures`` are current values worth showing (loss=0.31)."""

    def end(self) -> None:
        """End the stage."""


class SilentProgress:
    """A listener that shows nothing: the default of every library function."""

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Do nothing."""

    def advance(self, amount: int, **figures: float) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""
