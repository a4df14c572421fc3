"""Intervals over seeds: how far a mean over a few trained models can be trusted, by Student's t distribution.

An interval over the examples of one trained model says nothing about the next seed. Here each value is that of one
trained model, models differ by their seed alone, and the values are taken to be independent and about normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev, variance

from scipy.special import stdtrit

SMALLEST_NUM_SEEDS = 2
_UPPER_END = 0.975

Interval = tuple[float, float]


def standard_error(values: Sequence[float]) -> float | None:
    """Compute the standard error of the mean over seeds; None for fewer than two.

    Example:
        >>> standard_error([1.0, 2.0, 3.0, 4.0]) == (5 / 3 / 4) ** 0.5
        True
    """
    return stdev(values) / math.sqrt(len(values)) if len(values) >= SMALLEST_NUM_SEEDS else None


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Compute the 95 % confidence interval of the mean over seeds; None for fewer than two.

    It is ``mean -+ t s / sqrt(n)`` with the quantile t of n - 1 degrees of freedom: 12.7 for two seeds, 2.78 for five.

    Example:
        >>> low, high = mean_interval([1.0, 2.0, 3.0])
        >>> round(low, 3), round(high, 3)  # 2 -+ 4.303 / sqrt 3
        (-0.484, 4.484)
    """
    error = standard_error(values)
    return None if error is None else _around(fmean(values), error, degrees=len(values) - 1)


def next_seed_interval(values: Sequence[float]) -> Interval | None:
    """Compute the 95 % prediction interval for one more seed, ``mean -+ t s sqrt(1 + 1/n)``; None for fewer than two.

    Example:
        >>> low, high = next_seed_interval([1.0, 2.0, 3.0])
        >>> round(low, 3), round(high, 3)  # 2 -+ 4.303 sqrt(4/3)
        (-2.968, 6.968)
    """
    if len(values) < SMALLEST_NUM_SEEDS:
        return None
    error = stdev(values) * math.sqrt(1 + 1 / len(values))
    return _around(fmean(values), error, degrees=len(values) - 1)


def difference_interval(one: Sequence[float], other: Sequence[float]) -> Interval | None:
    """Compute the 95 % interval of the difference of two means over seeds; None if either has fewer than two.

    The spreads may differ: degrees of freedom by Welch (1947) and Satterthwaite.

    Example:
        >>> low, high = difference_interval([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
        >>> round(low, 3), round(high, 3)  # 4 -+ 2.776 sqrt(2/3), 4 degrees of freedom
        (1.733, 6.267)
    """
    if min(len(one), len(other)) < SMALLEST_NUM_SEEDS:
        return None
    squares = [variance(values) / len(values) for values in (one, other)]
    difference = fmean(one) - fmean(other)
    total = sum(squares)
    if total == 0:
        return difference, difference
    parts = (square**2 / (len(values) - 1) for square, values in zip(squares, (one, other), strict=True))
    return _around(difference, math.sqrt(total), degrees=total**2 / sum(parts))


def _around(middle: float, error: float, *, degrees: float) -> Interval:
    half_width = float(stdtrit(degrees, _UPPER_END)) * error
    return middle - half_width, middle + half_width
