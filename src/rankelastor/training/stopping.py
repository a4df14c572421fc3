"""Drop the learning rate and stop when the monitor no longer improves, as the published protocol does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rankelastor.config.stopping import StoppingSettings
from rankelastor.metrics.monitor import monitored_metric
from rankelastor.metrics.report import read_figure


@dataclass(frozen=True)
class PlateauDecision:
    """What to do after an evaluation: keep the weights if it improved, use this learning rate, stop or go on."""

    improved: bool
    learning_rate: float
    stop: bool


class Plateau:
    """Decides after each evaluation whether it improved, which learning rate comes next, and whether to stop.

    An evaluation that does not improve the best so far by more than ``min_delta`` multiplies the learning rate by
    ``rate_drop`` (not below ``min_learning_rate``); ``patience`` such evaluations in a row stop the run.

    Args:
        settings: the rule; the monitor's row in the table of metrics says which direction is better.
        learning_rate: the first one.

    Example:
        >>> plateau = Plateau(StoppingSettings(patience=2), learning_rate=0.1)
        >>> [plateau.judge({"auc": value}).stop for value in (0.70, 0.75, 0.74, 0.75)]
        [False, False, False, True]

    Source: training protocol of the code published with arXiv 2605.23191 (FuxiCTR's).
    """

    def __init__(self, settings: StoppingSettings, *, learning_rate: float) -> None:
        self._settings = settings
        self._sign = 1.0 if monitored_metric(settings.monitor).higher_is_better else -1.0
        self._learning_rate = learning_rate
        self._best = float("-inf")
        self._failures = 0

    def judge(self, metrics: Mapping[str, Any]) -> PlateauDecision:
        """Decide by the metrics of one evaluation, see ``Metrics.as_dict``; a missing monitor is no improvement."""
        value = self._sign * read_figure(metrics, self._settings.monitor)
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
