"""The kind ``piecewise_linear``: a column of numbers, interpolated between the embeddings of edges of equal mass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rankelastor.data.cells.numbers import Infinite
from rankelastor.data.cells.typed_times import TimeUnit
from rankelastor.data.features.quantiles import edge_places, positions_among
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.edges_fit import EdgesFit, parse_numbers
from rankelastor.data.kinds.field import INFINITE_MEANING, UNIT_MEANING, ColumnSettings, FeatureFit, Reads
from rankelastor.data.kinds.spec import FeatureSpec, NumberMeaning
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.schema import NumericFeature

_ONLY_BLANKS = (0.0,)
"""The edge of a column without a single number in the train split."""


class PiecewiseLinearField(ColumnSettings):
    """A column of numbers whose embedding lies on the line between those of the two nearest edges.

    The edges are the smallest, the largest and exact quantiles of the train split, as of ``quantile``; equal ones are
    one edge. Beyond them a number counts as the nearest edge. A blank has an embedding of its own.
    """

    kind: Literal["piecewise_linear"]
    num_buckets: int = Field(
        16,
        ge=1,
        le=1024,
        description="Number of buckets of equal mass; there are fewer if equal numbers make edges coincide.",
    )
    unit: TimeUnit | None = Field(None, description=UNIT_MEANING)
    infinite: Infinite = Field("refuse", description=INFINITE_MEANING)

    def plan(self, column: str) -> Iterator[PlannedPiecewiseLinear]:
        """Plan one feature."""
        yield PlannedPiecewiseLinear(self.name or column, column, self)


@dataclass(frozen=True)
class PlannedPiecewiseLinear:
    """A piecewise-linear feature to be fitted."""

    name: str
    column: str
    settings: PiecewiseLinearField
    kind: ClassVar[str] = "piecewise_linear"
    reads: ClassVar[Reads] = "numbers"
    width: ClassVar[int] = 1
    vocabulary: ClassVar[None] = None

    def parse(self, source: CellSource) -> Cells:
        """Parse the numbers, NaN for blank cells."""
        return parse_numbers(source, self.column, self.settings.unit, self.settings.infinite)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit, which selects the edges."""
        assert vocabulary is None, "numbers need no vocabulary"
        num_buckets = self.settings.num_buckets
        return EdgesFit(lambda count: [*edge_places(count, num_buckets), count - 1], self._spec)

    def _spec(self, values: NDArray[Any]) -> PiecewiseLinearSpec:
        return PiecewiseLinearSpec(
            name=self.name,
            column=self.column,
            edges=tuple(np.unique(values).tolist()) or _ONLY_BLANKS,
            unit=self.settings.unit,
            infinite=self.settings.infinite,
        )


class PiecewiseLinearSpec(FeatureSpec):
    """A fitted piecewise-linear feature; ``edges`` rise, and the embedding is linear between neighbours."""

    kind: Literal["piecewise_linear"] = "piecewise_linear"
    reads: ClassVar[Literal["value", "number", "list"]] = "number"
    edges: tuple[float, ...]
    unit: TimeUnit | None = None
    infinite: Infinite = "refuse"

    @property
    def feature(self) -> NumericFeature:
        """The feature as models see it: one position among the edges per example."""
        return NumericFeature(self.name, num_edges=len(self.edges))

    def parse(self, source: CellSource) -> Cells:
        """Parse the numbers, NaN for blank cells."""
        return parse_numbers(source, self.column, self.unit, self.infinite)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Find the position of each number among the edges: float32 (row,)."""
        return positions_among(cells.values, np.array(self.edges))

    def describe(self) -> str:
        """Name the kind and the number of edges."""
        return f"piecewise linear, {len(self.edges)} edges"

    def meaning(self, vocabulary: Vocabulary | None) -> NumberMeaning:
        """Say what the numbers stand for: positions among the edges, 0 for a blank."""
        assert vocabulary is None, "numbers need no vocabulary"
        return NumberMeaning("place among edges", 0.0)
