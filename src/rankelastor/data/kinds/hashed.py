"""The kind ``hashed``: a column of values whose ids are hashes, so that there is nothing to fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import Field

from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import BlankIds, cell_texts
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.field import BLANK_MEANING, TEXT_MEANING, ColumnSettings, FeatureFit, NothingToFit, Reads
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.schema import PADDING_ID, CategoricalFeature


class HashedField(ColumnSettings):
    """A column of values whose ids are hashes: one embedding row per bucket, for any number of values.

    The bucket of a value is 1 + murmurhash3_32(its UTF-8 bytes, seed 0) mod ``num_buckets``, on every machine and in
    every version. No value is out of vocabulary: values that training has not seen have a bucket too.
    """

    kind: Literal["hashed"]
    num_buckets: int = Field(
        ge=1,
        le=2**31 - 3,
        description="Number of buckets, each with an embedding row; values in one bucket share it.",
    )
    blank: BlankIds = Field("value", description=BLANK_MEANING)
    text: TextRule = Field("canonical", description=TEXT_MEANING)

    def plan(self, column: str) -> Iterator[PlannedHashed]:
        """Plan one feature."""
        spec = HashedSpec(
            name=self.name or column,
            column=column,
            num_buckets=self.num_buckets,
            blank=self.blank,
            text=self.text,
        )
        yield PlannedHashed(spec)


@dataclass(frozen=True)
class PlannedHashed:
    """A hashed feature, whose spec is known before any row is read."""

    spec: HashedSpec
    kind: ClassVar[str] = "hashed"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1
    vocabulary: ClassVar[None] = None

    @property
    def name(self) -> str:
        """Name of the feature."""
        return self.spec.name

    @property
    def column(self) -> str:
        """Name of the column to read."""
        return self.spec.column

    def parse(self, source: CellSource) -> Cells:
        """Hash the text of each cell."""
        return self.spec.parse(source)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit, which has nothing to do."""
        assert vocabulary is None, "hashes need no vocabulary"
        return NothingToFit(self.spec)


class HashedSpec(FeatureSpec):
    """A hashed categorical feature, which needs no fit."""

    kind: Literal["hashed"] = "hashed"
    num_buckets: int
    blank: BlankIds
    text: TextRule = "canonical"

    @property
    def num_ids(self) -> int:
        """Number of ids: padding, the buckets, out of vocabulary."""
        return self.num_buckets + 2

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example."""
        return CategoricalFeature(self.name, self.num_ids)

    def parse(self, source: CellSource) -> Cells:
        """Hash the text of each cell; each distinct text is hashed once."""
        texts = cell_texts(source.rows, self.column, source.blanks, source.spelling(self.text))
        if source.notes is not None:
            source.notes.look_at(self.column, texts.values)
        return Cells(hashed_ids(texts.values, num_buckets=self.num_buckets, blank=self.blank)[texts.codes])

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Return the cells, which are ids already."""
        return cells.values

    def describe(self) -> str:
        """Name the kind and the number of buckets."""
        return f"hashed into {self.num_buckets:,}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: buckets; blanks can be told from other values only if they are padding."""
        assert vocabulary is None, "hashes need no vocabulary"
        blank_ids = (PADDING_ID,) if self.blank == "padding" else None
        return IdMeaning(blank_ids, lambda index: f"bucket {index}")
