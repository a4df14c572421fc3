"""Paired differences over seeds, with the interval and the test of Student's t, and what they can tell apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtr, stdtrit

TEST = "paired t-test over seeds"
"""Name of the test."""
POWER = 0.8
"""Probability with which the smallest difference would be told apart."""
_FEWEST = 2


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference of two settings over the seeds that both have.

    Attributes:
        mean: mean difference.
        deviation: standard deviation of the differences; None for one seed.
        num_seeds: number of seeds.
        interval: interval of the mean; None for one seed.
        p: p-value of the two-sided paired t-test; None for one seed, or where all differences are the same.
    """

    mean: float
    deviation: float | None
    num_seeds: int
    interval: tuple[float, float] | None
    p: float | None


def paired_difference(
    values: Sequence[float], others: Sequence[float], *, confidence: float = 0.95
) -> PairedDifference | None:
    """Compute the mean of ``values - others``, which are of the same seeds in the same order; None without any.

    Example:
        >>> found = paired_difference([3.0, 5.0, 7.0], [2.0, 3.0, 4.0])
        >>> found.mean, found.deviation, [round(end, 3) for end in found.interval]  # 2 -+ 4.303 / sqrt 3
        (2.0, 1.0, [-0.484, 4.484])
        >>> round(found.p, 4)  # t = 2 sqrt 3 with 2 degrees of freedom
        0.0742
    """
    differences = [value - other for value, other in zip(values, others, strict=True)]
    if not differences:
        return None
    mean, count = fmean(differences), len(differences)
    if count < _FEWEST:
        return PairedDifference(mean, None, count, None, None)
    deviation = stdev(differences)
    error = deviation / math.sqrt(count)
    half = float(stdtrit(count - 1, (1 + confidence) / 2)) * error
    p = 2 * float(stdtr(count - 1, -abs(mean) / error)) if error else None
    return PairedDifference(mean, deviation, count, (mean - half, mean + half), p)


def pooled_deviation(differences: Sequence[PairedDifference]) -> tuple[float, int] | None:
    """Compute the deviation of a difference from those of several comparisons, and its degrees of freedom.

    Example:
        >>> one, two = (PairedDifference(0.0, deviation, 3, None, None) for deviation in (1.0, 7.0))
        >>> pooled_deviation([one, two])
        (5.0, 4)
    """
    known = [(each.deviation, each.num_seeds - 1) for each in differences if each.deviation is not None]
    degrees = sum(count for _, count in known)
    if not degrees:
        return None
    return math.sqrt(sum(count * deviation**2 for deviation, count in known) / degrees), degrees


def smallest_difference(
    differences: Sequence[PairedDifference], *, confidence: float = 0.95, power: float = POWER
) -> float | None:
    """Compute the smallest true difference that the seeds at hand tell apart with a probability of ``power``.

    The spread of the seeds is pooled over the comparisons, and the quantiles are those of its degrees of freedom. It
    holds for one comparison; a correction for many makes it larger.

    Example:
        >>> found = smallest_difference([PairedDifference(0.0, 1.0, 5, None, None)])
        >>> round(found, 3)  # (2.776 + 0.941) / sqrt 5
        1.662
    """
    pooled = pooled_deviation(differences)
    if pooled is None:
        return None
    deviation, degrees = pooled
    seeds = min(each.num_seeds for each in differences if each.deviation is not None)
    quantiles = float(stdtrit(degrees, (1 + confidence) / 2)) + float(stdtrit(degrees, power))
    return quantiles * deviation / math.sqrt(seeds)
