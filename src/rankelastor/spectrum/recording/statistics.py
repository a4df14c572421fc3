"""The results of a recorder: frozen dataclasses that convert to JSON and back and contain no nan.

An undefined number (the mean over no examples, the stable rank of a zero matrix) is None, never 0.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter

from rankelastor.spectrum.seeds import mean_interval
from rankelastor.spectrum.seeds import standard_error as error_over_seeds


@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins from ``low`` to ``high``; values outside by rounding are counted in the outermost bins."""

    low: float
    high: float
    counts: tuple[int, ...]

    @property
    def edges(self) -> tuple[float, ...]:
        """Edges of the bins, one more than the number of bins.

        Example:
            >>> Histogram(low=1, high=3, counts=(5, 0, 1, 4)).edges
            (1.0, 1.5, 2.0, 2.5, 3.0)
        """
        width = (self.high - self.low) / len(self.counts)
        return tuple(self.low + width * index for index in range(len(self.counts) + 1))

    @property
    def density(self) -> tuple[float, ...]:
        """Share of the examples in each bin divided by its width; integrates to 1, or is 0 if there are no examples.

        Example:
            >>> Histogram(low=1, high=3, counts=(5, 0, 1, 4)).density
            (1.0, 0.0, 0.2, 0.8)
        """
        width = (self.high - self.low) / len(self.counts)
        total = max(sum(self.counts), 1)
        return tuple(count / total / width for count in self.counts)


@dataclass(frozen=True)
class MeasureStatistics:
    """Statistics of one measure over ``count`` matrices: mean, spread, range and histogram.

    Attributes:
        measure: name of the measure.
        count: number of matrices.
        mean: mean over the matrices; over several trained models, the mean of the models' means.
        standard_deviation: standard deviation over the matrices.
        confidence_interval: 95 % interval of the mean. Of one model it is mean -+ 1.96 s / sqrt(count), for independent
            examples, and says nothing about other seeds; of several models it is that over seeds, see `seeds`.
        minimum: smallest value.
        maximum: largest value.
        histogram: counts of all values.
        seeds: mean in each of several trained models that differ by their seed; empty for one model.
    """

    measure: str
    count: int
    mean: float | None
    standard_deviation: float | None
    confidence_interval: tuple[float, float] | None
    minimum: float | None
    maximum: float | None
    histogram: Histogram
    seeds: tuple[float, ...] = ()

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean: over seeds if there are several, else over examples."""
        if self.seeds:
            return error_over_seeds(self.seeds)
        return None if self.standard_deviation is None else self.standard_deviation / math.sqrt(self.count)


@dataclass(frozen=True)
class SingularValueCurve:
    """Mean and standard deviation over examples of ``s_i / s_1``, by i."""

    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]


@dataclass(frozen=True)
class MatrixMeasures:
    """The measures of one matrix, which ``matrix`` names in words, and its relative singular values ``s_i / s_1``.

    Of several trained models these are means over the models, and ``seeds`` has each model's measures.
    """

    matrix: str
    num_rows: int
    num_columns: int
    measures: dict[str, float | None]
    singular_values: tuple[float, ...]
    seeds: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def max_possible_rank(self) -> int:
        """Upper limit of the measures of the matrix: min(rows, columns)."""
        return min(self.num_rows, self.num_columns)

    def interval(self, measure: str) -> tuple[float, float] | None:
        """Compute the 95 % interval of the mean over seeds; None for one model."""
        return mean_interval(self.seeds.get(measure, ()))

    def standard_error(self, measure: str) -> float | None:
        """Compute the standard error of the mean over seeds; None for one model."""
        return error_over_seeds(self.seeds.get(measure, ()))


@dataclass(frozen=True)
class PointStatistics:
    """Statistics recorded at one point of a model.

    Attributes:
        point: name of the point.
        num_tokens: number of rows T of each example's token matrix; None before the first example.
        token_dim: number of columns D of each example's token matrix; None before the first example.
        num_examples: number of examples, including those counted by the next two.
        num_not_finite: number of examples with a NaN or an infinite activation; excluded from all statistics.
        num_zero: number of examples whose token matrix is zero; excluded from the statistics over examples.
        examples: statistics of each example's token matrix (T x D), by measure.
        singular_values: singular values of each example's token matrix.
        flattened: measures of the whole sample's flattened tokens (examples x TD), if requested.
        flattened_centred: the same after subtracting the mean over examples, which often dominates the spectrum.
        single_tokens: measures of each token across the whole sample (examples x D), if requested.
    """

    point: str
    num_tokens: int | None
    token_dim: int | None
    num_examples: int
    num_not_finite: int
    num_zero: int
    examples: dict[str, MeasureStatistics]
    singular_values: SingularValueCurve | None
    flattened: MatrixMeasures | None
    flattened_centred: MatrixMeasures | None
    single_tokens: tuple[MatrixMeasures, ...]

    @property
    def max_possible_rank(self) -> int | None:
        """Upper limit of the measures of an example's token matrix: min(T, D)."""
        if self.num_tokens is None or self.token_dim is None:
            return None
        return min(self.num_tokens, self.token_dim)


@dataclass(frozen=True)
class Recording:
    """Statistics at each point of a recorder, in the order of the points."""

    points: tuple[PointStatistics, ...]

    def __getitem__(self, point: str) -> PointStatistics:
        return {statistics.point: statistics for statistics in self.points}[point]

    def to_json(self) -> str:
        """Serialise to JSON; `from_json` reads it back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Recording:
        """Read and validate a recording that `to_json` wrote."""
        return TypeAdapter(Recording).validate_json(text)
