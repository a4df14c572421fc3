"""Differences of metrics of two models on the same rows, with intervals: DeLong for AUC, a bootstrap for the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from numpy import ndarray

from rankelastor.metrics.likelihood import row_losses
from rankelastor.metrics.table import METRICS
from rankelastor.studies.paired_auc import auc_difference

_QUANTILE = 1.959964  # of the normal distribution, for 95 %
_DRAWS = 1000
_AT_ONCE = 4_000_000
_SEED = 18

Rows = Float64[ndarray, " row"]


@dataclass(frozen=True)
class MetricDifference:
    """A metric of one model less that of another on the same rows.

    Attributes:
        metric: name of the metric.
        value: metric of the first model.
        other: metric of the second model.
        difference: the first less the second.
        low: lower end of the 95 % interval of the difference over draws of the rows.
        high: upper end.
        method: how the interval was computed.
        higher_is_better: whether a larger metric is better.
    """

    metric: str
    value: float
    other: float
    difference: float
    low: float
    high: float
    method: str
    higher_is_better: bool

    @property
    def is_told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def words(self, name: str, other: str) -> str:
        """Say which model is better, or that the rows do not tell."""
        title = METRICS[self.metric].title
        interval = f"{self.difference:+.6f}, 95 % interval {self.low:+.6f} to {self.high:+.6f} ({self.method})"
        if not self.is_told_apart:
            return f"{title}: {name} and {other} cannot be told apart: {interval}"
        better = "better" if (self.difference > 0) == self.higher_is_better else "worse"
        return f"{title}: {name} is {better} than {other}: {interval}"


def differences(
    label: Shaped[ndarray, " row"],
    first: Rows,
    second: Rows,
    *,
    group: Int64[ndarray, " row"] | None = None,
) -> list[MetricDifference]:
    """Compute the differences of AUC, gAUC (where there are groups) and logloss of two models on the same rows.

    The intervals are over draws of the rows, or of the groups; they say nothing of other training seeds.

    Args:
        label: 0 or 1, at least two rows of each.
        first: probabilities of the first model.
        second: those of the second.
        group: group of each row.

    Example:
        >>> label, one, two = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.8]), np.array([0.1, 0.7, 0.6, 0.8])
        >>> [each.metric for each in differences(label, one, two)]
        ['auc', 'logloss']
    """
    found = [_of_auc(label, first, second)]
    if group is not None and (of_groups := _of_groups(label, first, second, group)) is not None:
        found.append(of_groups)
    found.append(_of_logloss(label, first, second))
    return found


def _of_auc(label: Shaped[ndarray, " row"], first: Rows, second: Rows) -> MetricDifference:
    difference = auc_difference(label, first, second)
    half = _QUANTILE * difference.standard_error
    one, other = (float(METRICS["auc"].function(label, scores)) for scores in (first, second))
    ends = difference.value - half, difference.value + half
    return MetricDifference("auc", one, other, difference.value, *ends, "DeLong", higher_is_better=True)


def _of_logloss(label: Shaped[ndarray, " row"], first: Rows, second: Rows) -> MetricDifference:
    """Compute the difference of the mean losses, with an interval over draws of the rows."""
    losses = [row_losses(label, scores).astype(np.float64) for scores in (first, second)]
    low, high = _bootstrap(losses[0] - losses[1], np.ones(len(label)))
    one, other = (float(each.mean()) for each in losses)
    return MetricDifference(
        "logloss", one, other, one - other, low, high, "bootstrap over rows", higher_is_better=False
    )


def _of_groups(
    label: Shaped[ndarray, " row"], first: Rows, second: Rows, group: Int64[ndarray, " row"]
) -> MetricDifference | None:
    by_group = METRICS["gauc"].by_group
    assert by_group is not None, "it is a metric within groups"
    one, other = (by_group(label, scores, weight=None, group=group) for scores in (first, second))
    if len(one.values) < 2:  # noqa: PLR2004 - one group tells nothing of others
        return None
    mine, theirs = (float(np.average(each.values, weights=each.weights)) for each in (one, other))
    low, high = _bootstrap(one.values - other.values, one.weights)
    method = "bootstrap over groups"
    return MetricDifference("gauc", mine, theirs, mine - theirs, low, high, method, higher_is_better=True)


def _bootstrap(values: Float64[ndarray, " unit"], weights: Float64[ndarray, " unit"]) -> tuple[float, float]:
    """Compute the 95 % interval of a weighted mean from 1,000 draws of its units, Poisson times each."""
    draws = np.random.default_rng(_SEED)
    means: list[float] = []
    while len(means) < _DRAWS:
        count = min(_DRAWS - len(means), max(1, _AT_ONCE // len(values)))
        times = draws.poisson(size=(count, len(values)))
        total = times @ weights
        means += ((times @ (weights * values))[total > 0] / total[total > 0]).tolist()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
