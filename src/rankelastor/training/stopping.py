"""Drop the learning rate and stop, as the published protocol does."""

from __future__ import annotations

from dataclasses import dataclass

from rankelastor.config.stopping import StoppingSettings

_LOWER_IS_BETTER = {"logloss"}


@dataclass(frozen=True)
class Verdict:
    """What follows from one evaluation."""

    improved: bool
    learning_rate: float
    stop: bool


class Plateau:
    """Watches the monitored metric over evaluations.

    An evaluation that does not improve the best so far by more than ``min_delta`` multiplies the learning rate by
    ``rate_drop`` (not below ``min_learning_rate``); ``patience`` such in a row stop the run.

    Example:
        >>> plateau = Plateau(StoppingSettings(patience=2), learning_rate=0.1)
        >>> [plateau.judge({"auc": value}).stop for value in (0.70, 0.75, 0.74, 0.75)]
        [False, False, False, True]

    Source: training protocol of the code published with arXiv 2605.23191 (FuxiCTR's).
    """

    def __init__(self, settings: StoppingSettings, *, learning_rate: float) -> None:
        self._settings = settings
        self._sign = -1.0 if settings.monitor in _LOWER_IS_BETTER else 1.0
        self._best = float("-inf")
        self._failures = 0
        self._learning_rate = learning_rate

    def judge(self, metrics: dict[str, float | int]) -> Verdict:
        """Take the metrics of one evaluation; a metric that is missing counts as no improvement."""
        value = self._sign * metrics.get(self._settings.monitor, float("nan"))
        improved = value > self._best + self._settings.min_delta
        if improved:
            self._best, self._failures = value, 0
        else:
            self._failures += 1
            lowered = self._learning_rate * self._settings.rate_drop
            self._learning_rate = max(lowered, min(self._settings.min_learning_rate, self._learning_rate))
        return Verdict(
            improved=improved, learning_rate=self._learning_rate, stop=self._failures >= self._settings.patience
        )
