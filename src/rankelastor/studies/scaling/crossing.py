"""Where two curves cross: the size from which on the one is better, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.percent import percent
from rankelastor.studies.scaling.resampling import FittedCurve

_POINTS = 200
_SURE = 0.95

Curve = Float64[ndarray, " size"]


@dataclass(frozen=True)
class Crossing:
    """Where two curves cross within the range in which both may be read.

    Attributes:
        size: the first size at which they cross; None if they do not cross there.
        interval: 95 % interval of the size over resampled fits that cross; None if too few of them do.
        share: share of the resampled fits that cross.
        low: lower end of the range.
        high: upper end of the range.
    """

    size: float | None
    interval: tuple[float, float] | None
    share: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """Say where they cross, or that this cannot be told."""
        where = f"between {self.low:,.0f} and {self.high:,.0f}"
        if self.size is None:
            return f"no crossing {where} ({percent(self.share)} of resampled fits have one)"
        if self.interval is None:
            return f"a crossing at {self.size:,.0f}, but only {percent(self.share)} of resampled fits have one {where}"
        return f"a crossing at {self.size:,.0f}, 95 % interval {self.interval[0]:,.0f} to {self.interval[1]:,.0f}"


def crossing_of(one: FittedCurve, other: FittedCurve, *, reach: float = 1.0) -> Crossing | None:
    """Find where two curves cross; None if no size lies in the range of both.

    Args:
        one: a curve.
        other: another one.
        reach: how many times beyond their sizes curves are read.
    """
    low = max(one.law.smallest, other.law.smallest) / reach
    high = min(one.law.largest, other.law.largest) * reach
    if low >= high:
        return None
    sizes = np.geomspace(low, high, _POINTS)
    size = first_crossing(sizes, np.array([one.law.at(each) - other.law.at(each) for each in sizes]))
    gaps = np.stack([one.at(each) - other.at(each) for each in sizes], axis=1)
    crosses = np.flatnonzero((np.sign(gaps[:, :-1]) * np.sign(gaps[:, 1:]) < 0).any(axis=1))
    found = [first_crossing(sizes, gap) or 0.0 for gap in gaps[crosses]]
    share = len(found) / len(gaps)
    interval = None
    if size is not None and share >= _SURE:
        ends = np.quantile(found, [0.025, 0.975])
        interval = float(ends[0]), float(ends[1])
    return Crossing(size, interval, share, float(low), float(high))


def first_crossing(sizes: Curve, gap: Curve) -> float | None:
    """Find the first size at which a gap changes its sign, by a line through the logarithms of the sizes.

    Example:
        >>> round(first_crossing(np.array([1.0, 4.0]), np.array([1.0, -1.0])), 6)
        2.0
    """
    places = np.flatnonzero(np.sign(gap[:-1]) * np.sign(gap[1:]) < 0)
    if not len(places):
        return None
    at = int(places[0])
    share = gap[at] / (gap[at] - gap[at + 1])
    return float(np.exp(np.log(sizes[at]) + share * (np.log(sizes[at + 1]) - np.log(sizes[at]))))
