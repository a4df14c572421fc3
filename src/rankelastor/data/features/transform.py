"""Transform numbers, and collect the statistics of the train split that the transforms need."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rankelastor.config.base import Settings
from rankelastor.data.features.exact_sum import ExactSum

NumericTransform = Literal["as_is", "log", "standardise", "min_max"]


class NumberStatistics(Settings):
    """Mean, population standard deviation and range of a numeric field over the train split."""

    mean: float
    standard_deviation: float
    minimum: float
    maximum: float


class StatisticsFit:
    """Accumulator of the statistics of one field over pieces of the train split, in two passes.

    All sums are exact, so the result does not depend on the order of the rows or on the size of the pieces.

    Example:
        >>> fit = StatisticsFit()
        >>> fit.add(np.array([1.0, 5.0]))
        >>> fit.end_first_pass()
        >>> fit.add_deviations(np.array([1.0, 5.0]))
        >>> fit.statistics
        NumberStatistics(mean=3.0, standard_deviation=2.0, minimum=1.0, maximum=5.0)
    """

    def __init__(self) -> None:
        self._num_rows = 0
        self._sum, self._squares = ExactSum(), ExactSum()
        self._minimum, self._maximum = math.inf, -math.inf
        self._mean = 0.0

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Add a piece of the train split, possibly empty, in the first pass."""
        if not len(numbers):
            return
        self._num_rows += len(numbers)
        self._sum.add(numbers)
        self._minimum = min(self._minimum, float(numbers.min()))
        self._maximum = max(self._maximum, float(numbers.max()))

    def end_first_pass(self) -> None:
        """End the first pass: compute the mean."""
        if not self._num_rows:  # every number was infinite and is clipped, to zero
            self._minimum = self._maximum = 0.0
        self._mean = float(self._sum.exact / max(1, self._num_rows))

    def add_deviations(self, numbers: NDArray[np.float64]) -> None:
        """Add a piece in the second pass, which takes the same pieces in any order."""
        self._squares.add((numbers - self._mean) ** 2)

    @property
    def statistics(self) -> NumberStatistics:
        """The statistics, after both passes."""
        variance = float(self._squares.exact / Fraction(max(1, self._num_rows)))
        return NumberStatistics(
            mean=self._mean,
            standard_deviation=math.sqrt(variance),
            minimum=self._minimum,
            maximum=self._maximum,
        )


def transform_numbers(
    numbers: NDArray[np.float64], transform: NumericTransform, statistics: NumberStatistics
) -> NDArray[np.float32]:
    """Transform numbers to float32.

    ``log`` is sign(x) * ln(1 + |x|). ``standardise`` and ``min_max`` map a column that is constant in the train
    split to x minus that constant. With ``min_max``, numbers outside the train range lie outside 0..1.

    Example:
        >>> statistics = NumberStatistics(mean=3.0, standard_deviation=2.0, minimum=1.0, maximum=5.0)
        >>> transform_numbers(np.array([1.0, 5.0]), "standardise", statistics).tolist()
        [-1.0, 1.0]
    """
    match transform:
        case "as_is":
            return numbers.astype(np.float32)
        case "log":
            return np.copysign(np.log1p(np.abs(numbers)), numbers).astype(np.float32)
        case "standardise":
            return _scale(numbers, statistics.mean, statistics.standard_deviation)
        case "min_max":
            return _scale(numbers, statistics.minimum, statistics.maximum - statistics.minimum)


def _scale(numbers: NDArray[np.float64], zero: float, unit: float) -> NDArray[np.float32]:
    limit = float(np.finfo(np.float32).max)
    return np.clip((numbers - zero) / (unit or 1.0), -limit, limit).astype(np.float32)
