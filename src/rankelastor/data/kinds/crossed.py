"""The kind ``crossed``: two columns whose pair of values is one value, with an id and an embedding of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import BLANK, BlankIds, CellTexts, cell_texts
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import BLANK_MEANING, TEXT_MEANING, ColumnSettings, FeatureFit, Reads
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, VocabularyFile, meaning_of_values
from rankelastor.data.kinds.vocabulary_fit import VocabularyFeatureFit, VocabularyFit
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.schema import CategoricalFeature

_BETWEEN = " & "


class CrossedField(ColumnSettings):
    """Two columns whose pair of values is one value, with an id and an embedding of its own.

    A log of few rows does not tell a model which pairs of values go together; a crossed field says so. Its feature is
    named ``COLUMN_x_OTHER`` unless ``name`` is set.
    """

    kind: Literal["crossed"]
    other: str = Field(min_length=1, description="The column whose value joins that of `column`.")
    min_count: PositiveInt = Field(
        1, description="A pair seen fewer times than this in the train split is out of vocabulary."
    )
    blank: BlankIds = Field("value", description=f"{BLANK_MEANING} A pair is blank if both of its cells are.")
    text: TextRule = Field("canonical", description=TEXT_MEANING)

    def plan(self, column: str) -> Iterator[PlannedCrossed]:
        """Plan one feature."""
        yield PlannedCrossed(self.name or f"{column}_x_{self.other}", column, self)


@dataclass(frozen=True)
class PlannedCrossed:
    """A crossed feature to be fitted."""

    name: str
    column: str
    settings: CrossedField
    kind: ClassVar[str] = "crossed"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1
    other_setting: ClassVar[str] = "other"

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Name of the column whose value joins."""
        return (self.settings.other,)

    @property
    def vocabulary(self) -> VocabularyRules:
        """Rules of its vocabulary, which no other field shares."""
        settings = self.settings
        return VocabularyRules(
            None, settings.min_count, settings.blank, may_be_shared=False, text=settings.text, are_cells=False
        )

    def parse(self, source: CellSource) -> Cells:
        """Number the pair of each row."""
        return _number_pairs(source, self.column, self.settings.other, self.settings.text)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Count the pairs."""
        assert vocabulary is not None, "the feature has rules for a vocabulary"
        return VocabularyFeatureFit(vocabulary, self.settings.blank, self._spec)

    def _spec(self, file: str, num_ids: int, _output: FeatureOutput, vocabulary: Vocabulary) -> CrossedSpec:
        return CrossedSpec(
            name=self.name,
            column=self.column,
            other=self.settings.other,
            min_count=self.settings.min_count,
            blank=self.settings.blank,
            text=self.settings.text,
            num_ids=num_ids,
            vocabulary=file,
            unseen_id=vocabulary.unseen_id,
        )


class CrossedSpec(FeatureSpec):
    """A fitted crossed feature. ``vocabulary`` names a file in the folder ``vocabulary``."""

    kind: Literal["crossed"] = "crossed"
    other: str
    min_count: int
    blank: BlankIds
    text: TextRule = "canonical"
    num_ids: int
    vocabulary: str
    unseen_id: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The two columns."""
        return (self.column, self.other)

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example."""
        return CategoricalFeature(self.name, self.num_ids, unseen_id=self.unseen_id)

    @property
    def vocabulary_file(self) -> VocabularyFile:
        """The vocabulary file."""
        return VocabularyFile(self.vocabulary, self.num_ids, self.blank, unseen_id=self.unseen_id)

    def parse(self, source: CellSource) -> Cells:
        """Number the pair of each row."""
        return _number_pairs(source, self.column, self.other, self.text)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Return the cells, which are ids already."""
        return cells.values

    def describe(self) -> str:
        """Name the kind and the two columns."""
        return f"{self.column} crossed with {self.other}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: pairs; a blank seen fewer than ``min_count`` times has no id of its own."""
        assert vocabulary is not None, "the feature has a vocabulary"
        return meaning_of_values(vocabulary, rare_blanks_are_unknown=self.min_count > 1)


def pair_texts(first: CellTexts, second: CellTexts) -> CellTexts:
    """Join the texts of two columns, row by row, so that different pairs have different texts.

    ``&`` within a value is doubled; the single one stands between the two. A pair of blanks is a blank.

    Example:
        >>> import polars as pl
        >>> site = CellTexts(pl.Series(["a", "R&B", ""]), np.array([0, 1, 0, 2, 2]))
        >>> city = CellTexts(pl.Series(["x", ""]), np.array([0, 0, 0, 0, 1]))
        >>> pairs = pair_texts(site, city)
        >>> pairs.values.gather(pairs.codes).to_list()
        ['a & x', 'R&&B & x', 'a & x', ' & x', '']
    """
    code = first.codes * len(second.values) + second.codes
    distinct, codes = np.unique(code, return_inverse=True)
    ours = first.values.gather(distinct // len(second.values)).str.replace_all("&", "&&", literal=True)
    theirs = second.values.gather(distinct % len(second.values)).str.replace_all("&", "&&", literal=True)
    are_blank = (ours == BLANK) & (theirs == BLANK)
    return CellTexts((ours + _BETWEEN + theirs).set(are_blank, BLANK), codes)


def _number_pairs(source: CellSource, column: str, other: str, text: TextRule) -> Cells:
    spelling = source.spelling(text)
    pairs = pair_texts(*(cell_texts(source.rows, name, source.blanks, spelling) for name in (column, other)))
    return Cells(source.numbering.number(pairs.values)[pairs.codes])
