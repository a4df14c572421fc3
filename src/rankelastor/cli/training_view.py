"""The progress of `train`: one stage per epoch and one line per evaluation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rankelastor.cli.progress import Bar
from rankelastor.models.ranker import Ranker
from rankelastor.training.evaluation_line import evaluation_line
from rankelastor.training.observers import Evaluation, ResumePoint, SilentObserver, Step

_REFRESH_SECONDS = 0.2


class TrainingView(SilentObserver):
    """Observer that shows training; it reads the loss from the device a few times per second."""

    def __init__(self, bar: Bar, *, label: str = "") -> None:
        self._bar = bar
        self._label = f"{label} " if label else ""
        self._num_epochs = self._num_examples = self._pending = self._done_before = self._seen = 0
        self._epoch_to_show: int | None = None
        self._last_refresh = 0.0
        self._figures: dict[str, float] = {}

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Store the number of epochs and examples."""
        del ranker
        self._num_epochs, self._num_examples = num_epochs, num_examples

    def state(self) -> dict[str, Any]:
        """Return nothing: the view is drawn anew."""
        return {}

    def on_resume(self, point: ResumePoint, state: Mapping[str, Any]) -> None:
        """Begin the first stage where training goes on."""
        del state
        self._done_before = point.num_examples

    def on_epoch_start(self, epoch: int) -> None:
        """Begin the stage of the epoch."""
        self._begin(epoch)
        self._pending = self._seen = self._done_before
        self._done_before = 0

    def on_step(self, step: Step) -> None:
        """Advance the stage a few times per second; an evaluation within the epoch has ended it."""
        if self._epoch_to_show is not None:
            self._begin(self._epoch_to_show)
            self._pending = self._seen
        self._pending += step.num_examples
        self._seen += step.num_examples
        if time.monotonic() - self._last_refresh < _REFRESH_SECONDS:
            return
        self._figures |= {"step": step.index, "loss": step.loss.item()}
        self._bar.advance(self._pending, **self._figures)
        self._pending, self._last_refresh = 0, time.monotonic()

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Print a line with the metrics and end the stage of the epoch; its next step begins it again."""
        self._bar.end()
        self._epoch_to_show = evaluation.epoch
        if "auc" in evaluation.metrics:
            self._figures["valid_auc"] = evaluation.metrics["auc"]
        line = evaluation_line(evaluation, num_epochs=self._num_epochs, num_examples=self._num_examples)
        self._bar.say(self._label + line)

    def _begin(self, epoch: int) -> None:
        self._bar.begin(f"{self._label}epoch {epoch}/{self._num_epochs}", total=self._num_examples, unit="examples")
        self._epoch_to_show = None
