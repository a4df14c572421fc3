"""Streaming statistics: accumulators that are updated batch by batch and keep no examples."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from rankelastor.spectrum.recording.statistics import Histogram, MeasureStatistics

NORMAL_95_PERCENT = 1.96


class RunningMoments:
    """Running mean and variance of each column, by the update of Chan, Golub and LeVeque (1983).

    Numerically stable where the textbook sum of squares is not: a spread of 1e-9 around 1e6 is computed correctly.

    Args:
        num_columns: Number of columns.

    Example:
        >>> moments = RunningMoments(num_columns=1)
        >>> moments.update(torch.tensor([[1.0], [2.0]]))
        >>> moments.update(torch.tensor([[6.0]]))
        >>> moments.count, float(moments.mean), float(moments.standard_deviation)
        (3, 3.0, 2.6457513110645907)
    """

    def __init__(self, *, num_columns: int) -> None:
        self.count = 0
        self.mean: Float64[Tensor, " column"] = torch.zeros(num_columns, dtype=torch.float64)
        self._squares = torch.zeros(num_columns, dtype=torch.float64)

    def update(self, rows: Float[Tensor, "row column"]) -> None:
        """Add more rows."""
        if len(rows) == 0:
            return
        values = rows.double()
        added_mean = values.mean(dim=0)
        shift = added_mean - self.mean
        total = self.count + len(values)
        self._squares += (values - added_mean).square().sum(dim=0) + shift.square() * (self.count * len(values) / total)
        self.mean = self.mean + shift * (len(values) / total)
        self.count = total

    @property
    def standard_deviation(self) -> Float64[Tensor, " column"]:
        """Standard deviation of each column, with divisor count - 1; nan for fewer than two rows."""
        if self.count <= 1:
            return torch.full_like(self.mean, torch.nan)
        return (self._squares / (self.count - 1)).sqrt()


class RunningMeasures:
    """Running statistics of several measures over matrices whose largest possible rank is known.

    Args:
        names: Names of the measures, one per column.
        max_possible_rank: Upper end of every histogram; the lower end is 1.
        num_bins: Number of bins of every histogram.
    """

    def __init__(self, names: tuple[str, ...], *, max_possible_rank: int, num_bins: int) -> None:
        self._names = names
        self._moments = RunningMoments(num_columns=len(names))
        self._minimum = torch.full((len(names),), math.inf, dtype=torch.float64)
        self._maximum = torch.full((len(names),), -math.inf, dtype=torch.float64)
        self._low, self._high = 1.0, float(max(max_possible_rank, 2))  # a histogram needs a positive width
        self._counts: Int64[Tensor, "measure bin"] = torch.zeros(len(names), num_bins, dtype=torch.int64)

    def update(self, values: Float[Tensor, "matrix measure"]) -> None:
        """Add the measures of more matrices; every value must be finite."""
        if len(values) == 0:
            return
        assert values.isfinite().all()
        self._moments.update(values)
        self._minimum = torch.minimum(self._minimum, values.amin(dim=0))
        self._maximum = torch.maximum(self._maximum, values.amax(dim=0))
        num_measures, num_bins = self._counts.shape
        position = (values.double() - self._low) / (self._high - self._low) * num_bins
        bins = position.floor().long().clamp(0, num_bins - 1) + torch.arange(num_measures) * num_bins
        self._counts += torch.bincount(bins.flatten(), minlength=self._counts.numel()).view_as(self._counts)

    def statistics(self) -> dict[str, MeasureStatistics]:
        """Compute the statistics by measure; a statistic that needs more matrices than were added is None."""
        return {name: self._statistics_of(column, name) for column, name in enumerate(self._names)}

    def _statistics_of(self, column: int, name: str) -> MeasureStatistics:
        count = self._moments.count
        mean = float(self._moments.mean[column])
        deviation = float(self._moments.standard_deviation[column])
        half_width = NORMAL_95_PERCENT * deviation / math.sqrt(max(count, 1))
        some, several = count > 0, count > 1
        return MeasureStatistics(
            measure=name,
            count=count,
            mean=mean if some else None,
            standard_deviation=deviation if several else None,
            confidence_interval=(mean - half_width, mean + half_width) if several else None,
            minimum=float(self._minimum[column]) if some else None,
            maximum=float(self._maximum[column]) if some else None,
            histogram=Histogram(self._low, self._high, tuple(self._counts[column].tolist())),
        )
