"""The progress of `train`: one bar per epoch and one line per evaluation."""

from __future__ import annotations

import time

from rankelastor.cli.progress import Bar
from rankelastor.models.ranker import Ranker
from rankelastor.training.observers import Evaluation, SilentObserver, Step

_REFRESH_SECONDS = 0.2


class TrainingView(SilentObserver):
    """Observer that shows training on a progress bar; it reads the loss from the device a few times per second."""

    def __init__(self, bar: Bar, *, label: str = "") -> None:
        self._bar = bar
        self._label = f"{label} " if label else ""
        self._num_epochs = self._num_examples = self._pending = 0
        self._last_refresh = 0.0
        self._figures: dict[str, float] = {}

    def on_start(self, ranker: Ranker, *, num_epochs: int, num_examples: int) -> None:
        """Store the number of epochs and examples."""
        del ranker
        self._num_epochs, self._num_examples = num_epochs, num_examples

    def on_epoch_start(self, epoch: int) -> None:
        """Start the bar of the epoch."""
        title = f"{self._label}epoch {epoch}/{self._num_epochs}"
        self._bar.begin(title, total=self._num_examples, unit="examples")
        self._pending = 0

    def on_step(self, step: Step) -> None:
        """Advance the bar a few times per second."""
        self._pending += step.batch.num_examples
        if time.monotonic() - self._last_refresh < _REFRESH_SECONDS:
            return
        self._figures["loss"] = step.loss.item()
        self._bar.advance(self._pending, **self._figures)
        self._pending, self._last_refresh = 0, time.monotonic()

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Print a line with the metrics and remove the bar of the epoch."""
        self._bar.end()
        self._figures["valid_auc"] = evaluation.metrics.get("auc", float("nan"))
        shown = [name for name in ("auc", "gauc", "logloss") if name in evaluation.metrics]
        metrics = "".join(f"  {name} {evaluation.metrics[name]:.6f}" for name in shown)
        self._bar.say(
            f"{self._label}epoch {evaluation.epoch:>3}  train loss {evaluation.train_loss:.6f}"
            f"  valid{metrics}"
            f"  lr {evaluation.learning_rate:g}  {evaluation.seconds:.1f} s{'  best' if evaluation.improved else ''}"
        )
