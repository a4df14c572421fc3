"""The progress of a study: a line for each run that is over, and a bar over the whole grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankelastor.cli.progress import Bar
from rankelastor.progress import format_duration

if TYPE_CHECKING:
    from rankelastor.studies.work.lines import RunLine


class StudyView:
    """Listener that shows the runs of a study on a bar."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def on_begin(self, *, total: int, done: int) -> None:
        """Say how many runs there are."""
        rest = f", {done} of them done" if done else ""
        self._bar.say(f"{total} runs{rest}")

    def on_run(self, line: RunLine, *, done: int, total: int, seconds_left: float | None) -> None:
        """Print a line on the run, with the time that the rest is expected to take."""
        self._bar.say(run_words(line, done=done, total=total, seconds_left=seconds_left))


def run_words(line: RunLine, *, done: int, total: int, seconds_left: float | None) -> str:
    """Describe a run that is over in one line."""
    begin = f"{done}/{total}  {line.key}  "
    if not line.is_finished:
        return f"{begin}failed: {line.reason}"
    split = "test" if "test" in line.metrics else "valid"
    figures = [f"{name} {value:.6f}" for name in ("auc", "logloss") if (value := line.metric(name, split)) is not None]
    left = "" if not seconds_left else f", about {format_duration(seconds_left)} left"
    return f"{begin}{split} {'  '.join(figures)}  {format_duration(line.seconds)}{left}"
