"""Drop the learning rate and stop when the monitor no longer improves, as the published protocol does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from rankelastor.config.training import TrainingSettings
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
        monitor: ``METRIC``, or ``TASK.METRIC`` with several tasks; its row in the table of metrics says which
            direction is better.
        learning_rate: the first one.
        min_delta: an improvement must be larger than this.
        rate_drop: what a failure multiplies the learning rate by.
        min_learning_rate: the learning rate does not drop below this; one that begins below it stays.
        patience: failures in a row that stop the run.

    Example:
        >>> plateau = Plateau(
        ...     "auc", learning_rate=0.1, min_delta=1e-6, rate_drop=0.1, min_learning_rate=1e-6, patience=2
        ... )
        >>> [plateau.judge({"auc": value}).stop for value in (0.70, 0.75, 0.74, 0.75)]
        [False, False, False, True]

    Source: training protocol of the code published with arXiv 2605.23191 (FuxiCTR's).
    """

    def __init__(
        self,
        monitor: str,
        *,
        learning_rate: float,
        min_delta: float,
        rate_drop: float,
        min_learning_rate: float,
        patience: int,
    ) -> None:
        self._monitor = monitor
        self._sign = 1.0 if monitored_metric(monitor).higher_is_better else -1.0
        self._learning_rate = learning_rate
        self._min_delta = min_delta
        self._rate_drop = rate_drop
        self._min_learning_rate = min_learning_rate
        self._patience = patience
        self._best = float("-inf")
        self._failures = 0

    @classmethod
    def from_settings(cls, settings: TrainingSettings) -> Self:
        """Make the plateau that the settings of training ask for."""
        return cls(
            settings.monitor,
            learning_rate=settings.learning_rate,
            min_delta=settings.min_delta,
            rate_drop=settings.rate_drop,
            min_learning_rate=settings.min_learning_rate,
            patience=settings.patience,
        )

    def judge(self, metrics: Mapping[str, Any]) -> PlateauDecision:
        """Decide by the metrics of one evaluation, see ``Metrics.as_dict``; a missing monitor is no improvement."""
        value = self._sign * read_figure(metrics, self._monitor)
        improved = value > self._best + self._min_delta
        if improved:
            self._best, self._failures = value, 0
        else:
            self._failures += 1
            lowered = self._learning_rate * self._rate_drop
            self._learning_rate = max(lowered, min(self._min_learning_rate, self._learning_rate))
        return PlateauDecision(
            improved=improved, learning_rate=self._learning_rate, stop=self._failures >= self._patience
        )
