"""Progress as plain lines, for pipes, files and batch systems."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rankelastor.percent import percent
from rankelastor.progress import format_duration

FIRST_SECONDS = 5.0
EVERY_SECONDS = 30.0
_TICK_SECONDS = 0.5
_MEGABYTE = 1 << 20


class PlainLines:
    """Progress listener that writes a line after 5 seconds, and then at least one every 30, whatever the work does.

    A thread of its own writes the lines, so that work which reports nothing for minutes is no silence. A stage that
    ends after a line was written about it gets a last line. A context manager: the thread runs inside.

    Args:
        write: receives each line, without a line end.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress lines", daemon=True)
        self._began = self._last = clock()
        self._wait = FIRST_SECONDS
        self._stage: _Stage | None = None

    def __enter__(self) -> PlainLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Begin a stage, and end the one before."""
        with self._lock:
            self.end()
            self._stage = _Stage(stage, total, unit, self._clock())

    def advance(self, amount: int, **figures: float) -> None:
        """Add to what is done, and keep the figures for the next line."""
        with self._lock:
            assert self._stage is not None, "begin must be called first"
            self._stage.done += amount
            self._stage.figures |= figures

    def end(self) -> None:
        """End the stage, with a line if there was one about it."""
        with self._lock:
            if self._stage is not None and self._stage.was_shown:
                self.say(self._stage.describe_end(self._clock()))
            self._stage = None

    def say(self, line: str) -> None:
        """Write a line at once."""
        with self._lock:
            self._write(line)
            self._last, self._wait = self._clock(), EVERY_SECONDS

    def tick(self) -> None:
        """Write a line about the stage if the last line was long ago."""
        with self._lock:
            now = self._clock()
            if now - self._last < self._wait:
                return
            if self._stage is None:
                self.say(f"working, {format_duration(now - self._began)} so far")
            else:
                self._stage.was_shown = True
                self.say(self._stage.describe(now))

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_SECONDS):
            self.tick()


class _Stage:
    """What has been done of a stage."""

    def __init__(self, name: str, total: int, unit: str, began: float) -> None:
        self.name, self.total, self.unit, self.began = name, total, unit, began
        self.done = 0
        self.figures: dict[str, float] = {}
        self.was_shown = False

    def describe(self, now: float) -> str:
        """Say how much is done, how fast, and how long the rest takes at this pace."""
        seconds = now - self.began
        parts = [self.name]
        if self.total:
            parts += [
                percent(self.done / self.total, digits=0),
                f"{self._amount(self.done)} of {self._with_unit(self.total)}",
            ]
        else:
            parts.append(self._with_unit(self.done))
        if self.done and seconds > 0:
            parts.append(f"{self._with_unit(self.done / seconds)}/s")
        parts += [f"{name} {format_figure(value)}" for name, value in self.figures.items()]
        if 0 < self.done < self.total:
            parts.append(f"{format_duration(seconds * (self.total - self.done) / self.done)} left")
        return "  ".join(parts)

    def describe_end(self, now: float) -> str:
        """Say how much was done in which time."""
        return f"{self.name}  done: {self._with_unit(self.done)} in {format_duration(now - self.began)}"

    def _amount(self, amount: float) -> str:
        return f"{amount / _MEGABYTE:,.1f}" if self.unit == "bytes" else f"{amount:,.0f}"

    def _with_unit(self, amount: float) -> str:
        return f"{self._amount(amount)} {'MB' if self.unit == 'bytes' else self.unit}"


def format_figure(value: float) -> str:
    """Format a figure of a stage.

    Example:
        >>> format_figure(1_234_567), format_figure(0.51234567)
        ('1,234,567', '0.512346')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
