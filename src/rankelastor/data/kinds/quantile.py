"""The kind ``quantile``: a column of numbers cut into buckets of equal mass, each with an embedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rankelastor.data.cells.numbers import Infinite
from rankelastor.data.cells.texts import BLANK, BlankIds
from rankelastor.data.cells.typed_times import TimeUnit
from rankelastor.data.features.quantiles import (
    bucket_ids,
    distinct_edges,
    edge_places,
    num_bucket_ids,
)
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.edges_fit import EdgesFit, parse_numbers
from rankelastor.data.kinds.field import (
    BLANK_MEANING,
    INFINITE_MEANING,
    UNIT_MEANING,
    ColumnSettings,
    FeatureFit,
    Reads,
)
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.schema import PADDING_ID, CategoricalFeature


class QuantileField(ColumnSettings):
    """A column of numbers cut into buckets of equal mass, each with an embedding.

    The edges are exact quantiles of the train split: bucket k starts at the number at index
    floor(k * rows / ``num_buckets``) of the sorted column.
    """

    kind: Literal["quantile"]
    num_buckets: int = Field(
        ge=2, le=1024, description="Number of buckets; there are fewer if equal numbers make edges coincide."
    )
    blank: BlankIds = Field("value", description=BLANK_MEANING)
    unit: TimeUnit | None = Field(None, description=UNIT_MEANING)
    infinite: Infinite = Field("refuse", description=INFINITE_MEANING)

    def plan(self, column: str) -> Iterator[PlannedQuantile]:
        """Plan one feature."""
        yield PlannedQuantile(self.name or column, column, self)


@dataclass(frozen=True)
class PlannedQuantile:
    """A quantile feature to be fitted."""

    name: str
    column: str
    settings: QuantileField
    kind: ClassVar[str] = "quantile"
    reads: ClassVar[Reads] = "numbers"
    width: ClassVar[int] = 1
    vocabulary: ClassVar[None] = None

    def parse(self, source: CellSource) -> Cells:
        """Parse the numbers, NaN for blank cells."""
        return parse_numbers(source, self.column, self.settings.unit, self.settings.infinite)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit, which selects the edges."""
        assert vocabulary is None, "numbers need no vocabulary"
        return EdgesFit(lambda count: edge_places(count, self.settings.num_buckets), self._spec)

    def _spec(self, values: NDArray[Any]) -> QuantileSpec:
        blank, edges = self.settings.blank, distinct_edges(values)
        return QuantileSpec(
            name=self.name,
            column=self.column,
            edges=edges,
            blank=blank,
            unit=self.settings.unit,
            infinite=self.settings.infinite,
            num_ids=num_bucket_ids(edges, blank),
        )


class QuantileSpec(FeatureSpec):
    """A fitted quantile feature. A bucket starts at each of ``edges``; the first bucket lies below them all."""

    kind: Literal["quantile"] = "quantile"
    reads: ClassVar[Literal["value", "number", "list"]] = "number"
    edges: tuple[float, ...]
    blank: BlankIds
    unit: TimeUnit | None = None
    infinite: Infinite = "refuse"
    num_ids: int

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example."""
        return CategoricalFeature(self.name, self.num_ids)

    def parse(self, source: CellSource) -> Cells:
        """Parse the numbers, NaN for blank cells."""
        return parse_numbers(source, self.column, self.unit, self.infinite)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Find the bucket of each number: int32 (row,)."""
        return bucket_ids(cells.values, np.array(self.edges), self.blank)

    def describe(self) -> str:
        """Name the kind and the number of buckets."""
        return f"quantile, {len(self.edges) + 1} buckets"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: ranges of numbers, or a blank."""
        assert vocabulary is None, "numbers need no vocabulary"
        blank_ids = {"value": (len(self.edges) + 2,), "padding": (PADDING_ID,), "out_of_vocabulary": None}
        return IdMeaning(blank_ids[self.blank], self._range)

    def _range(self, index: int) -> str:
        """Name the range of a bucket; its lower edge belongs to it."""
        if index == len(self.edges) + 2:
            return BLANK
        lower = f"{self.edges[index - 2]:g} <= " if index > 1 else ""
        upper = f" < {self.edges[index - 1]:g}" if index <= len(self.edges) else ""
        return f"{lower}x{upper}"
