"""Lower the learning rate and stop when the monitor no longer improves, as in the published protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rankelastor.config.stopping import StoppingSettings
from rankelastor.metrics.monitor import monitor_weights
from rankelastor.metrics.report import read_figure


@dataclass(frozen=True)
class PlateauDecision:
    """The decision after an evaluation: whether it improved, the next learning rate, and whether to stop."""

    improved: bool
    learning_rate: float
    stop: bool


class Plateau:
    """Learning-rate drops and early stopping by the evaluations.

    An evaluation that does not improve on the best so far by more than ``min_delta`` multiplies the learning rate by
    ``rate_drop`` (not below ``min_learning_rate``); ``patience`` such evaluations in succession stop the run.

    Args:
        settings: the rule; the table of metrics defines in which direction a monitor improves.
        learning_rate: the initial learning rate.

    Example:
        >>> plateau = Plateau(StoppingSettings(patience=2), learning_rate=0.1)
        >>> [plateau.judge({"auc": value}).stop for value in (0.70, 0.75, 0.74, 0.75)]
        [False, False, False, True]

    Source: training protocol of the code published with arXiv 2605.23191 (FuxiCTR's).
    """

    def __init__(self, settings: StoppingSettings, *, learning_rate: float) -> None:
        self._settings = settings
        self._weights = monitor_weights(settings.monitor)
        self._learning_rate = learning_rate
        self._best = float("-inf")
        self._failures = 0

    def judge(self, metrics: Mapping[str, Any]) -> PlateauDecision:
        """Decide by the metrics of one evaluation, see ``Metrics.as_dict``; a missing monitor is no improvement."""
        value = sum(weight * read_figure(metrics, name) for name, weight in self._weights.items())
        improved = value > self._best + self._settings.min_delta
        if improved:
            self._best, self._failures = value, 0
        else:
            self._failures += 1
            lowered = self._learning_rate * self._settings.rate_drop
            self._learning_rate = max(lowered, min(self._settings.min_learning_rate, self._learning_rate))
        return PlateauDecision(
            improved=improved, learning_rate=self._learning_rate, stop=self._failures >= self._settings.patience
        )

    def state(self) -> dict[str, float | int | None]:
        """Return the learning rate, the best value (None before the first) and the failures, as values for JSON."""
        best = self._best if math.isfinite(self._best) else None
        return {"learning_rate": self._learning_rate, "best": best, "failures": self._failures}

    def restore(self, *, learning_rate: float, best: float | None, failures: int) -> None:
        """Go on from the values that ``state`` gave.

        Example:
            >>> first, second = (Plateau(StoppingSettings(patience=2), learning_rate=0.1) for _ in range(2))
            >>> _ = first.judge({"auc": 0.7}), first.judge({"auc": 0.6})
            >>> second.restore(**first.state())
            >>> second.judge({"auc": 0.65}).stop
            True
        """
        self._learning_rate, self._failures = learning_rate, failures
        self._best = float("-inf") if best is None else best
