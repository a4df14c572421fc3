"""Progress of long work: a bar on a terminal, plain lines elsewhere, both on stderr."""

from __future__ import annotations

import time
from typing import Protocol, Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from rankelastor.cli.console import error_console, manner
from rankelastor.cli.plain_progress import PlainLines, format_figure

DELAY_SECONDS = 2.0
_BYTE_SCALE = 1 << 20


class ThroughputColumn(ProgressColumn):
    """Column with the throughput per second, in the task's unit."""

    def render(self, task: Task) -> Text:
        """Format the current throughput; empty while it is unknown."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        unit = task.fields.get("unit", "")
        shown = f"{speed / _BYTE_SCALE:,.1f} MB/s" if unit == "bytes" else f"{speed:,.0f} {unit}/s"
        return Text(shown, style="progress.data.speed")


class _View(Protocol):
    """A way to show progress."""

    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def begin(self, stage: str, *, total: int, unit: str) -> None: ...
    def advance(self, amount: int, **figures: float) -> None: ...
    def end(self) -> None: ...
    def say(self, line: str) -> None: ...


class Bar:
    """Progress listener of the verbs, used as a context manager: it shows nothing if the user asked for quiet.

    On a terminal that can draw, it is a bar, which appears after two seconds and goes when the work is done.
    Elsewhere it is plain lines, so that logs of batch systems and pipes show that work goes on.
    """

    def __init__(self) -> None:
        self._view = _choose_view()

    def __enter__(self) -> Self:
        self._view.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._view.__exit__()

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Show a stage in place of the previous one."""
        self._view.begin(stage, total=total, unit=unit)

    def advance(self, amount: int, **figures: float) -> None:
        """Add to what is done of the stage, and show its figures."""
        self._view.advance(amount, **figures)

    def end(self) -> None:
        """End the stage."""
        self._view.end()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._view.say(line)


def _choose_view() -> _View:
    if manner.quiet:
        return _Quiet()
    if error_console.is_terminal and not error_console.is_dumb_terminal:
        return _Drawn()
    return PlainLines(_print_line)


def _print_line(line: str) -> None:
    error_console.print(line, highlight=False, markup=False, soft_wrap=True)


class _Quiet:
    """A view that shows nothing."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def begin(self, stage: str, *, total: int, unit: str) -> None: ...

    def advance(self, amount: int, **figures: float) -> None: ...

    def end(self) -> None: ...

    def say(self, line: str) -> None: ...


class _Drawn:
    """A bar on a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f} %", table_column=Column(no_wrap=True)),
            ThroughputColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[figures]}", style="cyan", table_column=Column(no_wrap=True)),
            console=error_console,
            transient=True,
        )
        self._began = time.monotonic()
        self._task: TaskID | None = None

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Start the bar of a stage, replacing the previous one."""
        self.end()
        self._task = self._progress.add_task(stage, total=total or None, unit=unit, figures="")

    def advance(self, amount: int, **figures: float) -> None:
        """Advance the bar of the stage and show its figures."""
        assert self._task is not None, "begin must be called first"
        if not self._progress.live.is_started and time.monotonic() - self._began > DELAY_SECONDS:
            self._progress.start()
        self._progress.update(self._task, advance=amount)
        if figures:
            shown = "  ".join(f"{name} {format_figure(value)}" for name, value in figures.items())
            self._progress.update(self._task, figures=shown)

    def end(self) -> None:
        """Remove the bar of the stage."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        _print_line(line)
