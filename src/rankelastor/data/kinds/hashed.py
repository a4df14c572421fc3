"""The kind ``hashed``: a column of values whose ids are hashes, so that nothing is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import Field

from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.cells.texts import BlankIds, cell_texts
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, Source
from rankelastor.data.kinds.field import ColumnSettings, FeatureFit, NothingToFit, Reads
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.schema import PADDING_ID, CategoricalFeature


class HashedField(ColumnSettings):
    """A column of values whose ids are hashes: as many embedding rows as buckets, however many values there are.

    A value goes to bucket 1 + murmurhash3_32(its UTF-8 bytes, seed 0) mod ``num_buckets``, on every machine and in
    every version. No value is out of vocabulary: one that training has not seen falls into a bucket too.
    ``blank``: a blank cell is a value like any other (``value``), out of vocabulary, or padding (a zero vector).
    """

    kind: Literal["hashed"]
    num_buckets: Annotated[int, Field(ge=1, le=2**31 - 3)]
    blank: BlankIds = "value"

    def plan(self, column: str) -> Iterator[PlannedHashed]:
        """Plan one feature."""
        spec = HashedSpec(name=self.name or column, column=column, num_buckets=self.num_buckets, blank=self.blank)
        yield PlannedHashed(spec)


@dataclass(frozen=True)
class PlannedHashed:
    """A hashed feature: its spec stands before any row is read."""

    spec: HashedSpec
    kind: ClassVar[str] = "hashed"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1
    vocabulary: ClassVar[None] = None

    @property
    def name(self) -> str:
        """The feature's name."""
        return self.spec.name

    @property
    def column(self) -> str:
        """The column it reads."""
        return self.spec.column

    def parse(self, source: Source) -> Cells:
        """Hash the text of each cell."""
        return self.spec.parse(source)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Fit nothing."""
        assert vocabulary is None, "hashes need none"
        return NothingToFit(self.spec)


class HashedSpec(FeatureSpec):
    """A hashed categorical feature: nothing is fitted."""

    kind: Literal["hashed"] = "hashed"
    num_buckets: int
    blank: BlankIds

    @property
    def num_ids(self) -> int:
        """Padding, the buckets, out of vocabulary."""
        return self.num_buckets + 2

    @property
    def feature(self) -> CategoricalFeature:
        """One id per example."""
        return CategoricalFeature(self.name, self.num_ids)

    def parse(self, source: Source) -> Cells:
        """Hash the text of each cell; each distinct text is hashed once."""
        texts = cell_texts(source.rows, self.column, source.blanks)
        return Cells(hashed_ids(texts.values, num_buckets=self.num_buckets, blank=self.blank)[texts.codes])

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Parsed cells are ids already."""
        return cells.values

    def describe(self) -> str:
        """Name the kind and the number of buckets."""
        return f"hashed into {self.num_buckets:,}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Ids are buckets; blanks are told from others only where they are padding."""
        assert vocabulary is None, "hashes need none"
        blank_ids = (PADDING_ID,) if self.blank == "padding" else None
        return IdMeaning(blank_ids, lambda index: f"bucket {index}")
