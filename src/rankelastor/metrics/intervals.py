"""Intervals of 95 %: of AUC by DeLong, of logloss by its standard error, of metrics within groups by a bootstrap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.group_values import GroupValues
from rankelastor.metrics.likelihood import row_losses
from rankelastor.metrics.ranking import negatives_below
from rankelastor.metrics.table import METRICS

_QUANTILE = 1.959964  # of the normal distribution, for 95 %
_DRAWS = 1000
_DRAWN_AT_ONCE = 10_000_000
_SEED = 15


@dataclass(frozen=True)
class Interval:
    """An interval of 95 % for a metric.

    Attributes:
        low: its lower end.
        high: its upper end.
        method: how it was computed.
    """

    low: float
    high: float
    method: str

    def as_dict(self) -> dict[str, Any]:
        """Convert to values for JSON, rounded to six decimals."""
        return {"low": round(self.low, 6), "high": round(self.high, 6), "method": self.method}


def intervals_of(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
    group: Int[ndarray, " example"] | None = None,
) -> dict[str, Interval]:
    """Compute the intervals of AUC, logloss and the metrics within groups, by name; those not defined are left out.

    Rows are taken as independent for AUC and logloss, groups for the rest.

    Args:
        label: 0 or 1.
        probability: predictions in 0..1.
        weight: weight of each example; None weights all equally.
        group: group of each example, or None.

    Example:
        >>> label, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9])
        >>> intervals_of(label, probability)["auc"].method
        'DeLong'
    """
    found = {"auc": delong(label, probability, weight), "logloss": _of_logloss(label, probability, weight)}
    for metric in METRICS.values():
        if metric.by_group is not None and group is not None:
            found[metric.name] = bootstrap(metric.by_group(label, probability, weight=weight, group=group))
    return {name: interval for name, interval in found.items() if interval is not None}


def delong(
    label: Shaped[ndarray, " example"], score: Float[ndarray, " example"], weight: Float[ndarray, " example"] | None
) -> Interval | None:
    """Compute the interval of AUC from the variance of its shares by row; None without two rows of either label.

    The share of a positive row is the part of the negatives below it, and that of a negative row the part of the
    positives above it; ties count half.

    Source: DeLong et al. 1988; by sorting as in Sun and Xu 2014.
    """
    mass = np.ones(len(label)) if weight is None else weight.astype(np.float64)
    is_positive = label > 0
    one = np.zeros(len(label), dtype=np.int64)
    variances, area = [], math.nan
    for rows, sign in ((is_positive, 1.0), (~is_positive, -1.0)):
        mine, others = mass[rows], np.where(rows, 0.0, mass)
        if (mine > 0).sum() < 2 or not others.sum():  # noqa: PLR2004 - a variance needs two
            return None
        shares = negatives_below(one, sign * score, others)[rows] / others.sum()
        area = float(np.average(shares, weights=mine))
        counted = int((mine > 0).sum())
        variances.append((mine**2 * (shares - area) ** 2).sum() / mine.sum() ** 2 * counted / (counted - 1))
    return _around(area, math.sqrt(sum(variances)), "DeLong", top=1.0)


def bootstrap(groups: GroupValues) -> Interval | None:
    """Compute the interval of a mean over groups from 1,000 draws of the groups; None for fewer than two groups.

    Each draw takes each group a number of times with the distribution of Poisson with mean 1; the seed is fixed.
    """
    num_groups = len(groups.values)
    if num_groups < 2:  # noqa: PLR2004 - one group tells nothing of others
        return None
    draws = np.random.default_rng(_SEED)
    at_once = max(1, min(_DRAWS, _DRAWN_AT_ONCE // num_groups))
    means: list[float] = []
    while len(means) < _DRAWS:
        times = draws.poisson(size=(min(at_once, _DRAWS - len(means)), num_groups))
        total = times @ groups.weights
        sums = times @ (groups.weights * groups.values)
        means += (sums[total > 0] / total[total > 0]).tolist()
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high), "bootstrap over groups")


def _of_logloss(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None,
) -> Interval | None:
    mass = np.ones(len(label)) if weight is None else weight.astype(np.float64)
    counted = int((mass > 0).sum())
    if counted < 2:  # noqa: PLR2004 - a variance needs two
        return None
    losses = row_losses(label, probability)
    mean = float(np.average(losses, weights=mass))
    variance = (mass**2 * (losses - mean) ** 2).sum() / mass.sum() ** 2 * counted / (counted - 1)
    return _around(mean, math.sqrt(variance), "standard error")


def _around(value: float, error: float, method: str, *, top: float = math.inf) -> Interval:
    return Interval(max(0.0, value - _QUANTILE * error), min(top, value + _QUANTILE * error), method)
