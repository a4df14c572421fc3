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


def format_duration(seconds: float) -> str:
    """Format a duration in words of time as people write them.

    Example:
        >>> format_duration(4.26), format_duration(83), format_duration(3_725)
        ('4.3 s', '1:23', '1:02:05')
    """
    if seconds < 59.95:  # noqa: PLR2004 - this would round to 60.0 s
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
