"""Progress where notebooks show it: one line that is replaced, never a line per step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

from rankelastor.models.ranker import Ranker
from rankelastor.training.evaluation_line import evaluation_line
from rankelastor.training.observers import Evaluation, SilentObserver, Step

_SECONDS_BETWEEN = 0.25


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook, which displays HTML."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


class NotebookProgress(SilentObserver):
    """An observer of training and a listener of progress that shows one line of HTML.

    Args:
        show: shows HTML in place of what it showed before; None displays it in the notebook.
        clock: seconds, for tests.
    """

    def __init__(self, show: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._show = show or _Display()
        self._clock = clock
        self._shown_at = -_SECONDS_BETWEEN
        self._stage, self._done, self._total, self._unit = "", 0, 0, ""
        self._num_epochs, self._num_examples = 0, 0
        self._last = ""

    def begin(self, stage: str, *, total: int, unit: str) -> None:
        """Begin a stage of ``total`` units."""
        self._stage, self._done, self._total, self._unit = stage, 0, total, unit

    def advance(self, amount: int, **figures: float) -> None:
        """Add to what is done."""
        del figures
        self._done += amount
        self._draw()

    def end(self) -> None:
        """End the stage."""
        self._stage = ""

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Note the length of the training."""
        del ranker
        self._num_epochs, self._num_examples = num_epochs, num_examples

    def on_epoch_start(self, epoch: int) -> None:
        """Begin the bar of an epoch."""
        self.begin(f"epoch {epoch} of at most {self._num_epochs}", total=self._num_examples, unit="examples")

    def on_step(self, step: Step) -> None:
        """Advance by a batch."""
        self.advance(step.num_examples)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Show the evaluation."""
        self._last = evaluation_line(evaluation, num_epochs=self._num_epochs, num_examples=self._num_examples)
        self._draw(now=True)

    def on_end(self) -> None:
        """Show the last evaluation alone."""
        self._stage = ""
        self._draw(now=True)

    def _draw(self, *, now: bool = False) -> None:
        if not now and self._clock() - self._shown_at < _SECONDS_BETWEEN:
            return
        self._shown_at = self._clock()
        bar = f'<progress value="{min(self._done, self._total)}" max="{max(self._total, 1)}"></progress> '
        stage = f"{bar}{escape(self._stage)}, {self._done:,} of {self._total:,} {escape(self._unit)}<br>"
        self._show(f"{stage if self._stage else ''}<small>{escape(self._last)}</small>")


class _Display:
    """Shows HTML in one cell's output, in place of what it showed before."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, html: str) -> None:
        display = sys.modules["IPython"].display
        if self._handle is None:
            self._handle = display.display(display.HTML(html), display_id=True)
        else:
            self._handle.update(display.HTML(html))
