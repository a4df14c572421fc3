"""Progress bars for work that takes longer than two seconds, on a terminal only."""

from __future__ import annotations

import time

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from rankelastor.cli.console import console, error_console

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


class Bar:
    """Progress listener that draws a bar after two seconds; a context manager that removes the bar on exit."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f} %", table_column=Column(no_wrap=True)),
            ThroughputColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[figures]}", style="cyan", table_column=Column(no_wrap=True)),
            console=error_console,
            transient=True,
            disable=not error_console.is_terminal,
        )
        self._began = time.monotonic()
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Start the bar of a stage, replacing the previous one."""
        self.end()
        self._task = self._progress.add_task(stage, total=total, unit=unit, figures="")

    def advance(self, amount: int, **figures: float) -> None:
        """Advance the bar of the stage and show its figures."""
        assert self._task is not None, "begin must be called first"
        if not self._progress.live.is_started and time.monotonic() - self._began > DELAY_SECONDS:
            self._progress.start()
        self._progress.update(self._task, advance=amount)
        if figures:
            self._progress.update(
                self._task, figures="  ".join(f"{name} {value:.6g}" for name, value in figures.items())
            )

    def end(self) -> None:
        """Remove the bar of the stage."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def say(self, line: str) -> None:
        """Print a line above the bar, on a terminal only."""
        if console.is_terminal:
            self._progress.console.print(line, highlight=False)
