"""The features of ``last``: single elements of a sequence, counted from the newest, as categorical features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.cells.lists import CellLists, pad_left
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import FeatureFit, Reads
from rankelastor.data.kinds.list_rules import ListRules
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, VocabularyFile, meaning_of_values
from rankelastor.data.kinds.vocabulary_fit import VocabularyFeatureFit, VocabularyFit
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.schema import CategoricalFeature


@dataclass(frozen=True)
class PlannedLastElement:
    """The element at ``place`` from the end of a list (1: the newest), with the rows and ids of the sequence.

    It counts nothing: the sequence has counted the element already.
    """

    name: str
    column: str
    sequence: str
    place: int
    rules: ListRules
    shares: str
    kind: ClassVar[str] = "last_element"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1

    @property
    def vocabulary(self) -> VocabularyRules:
        """The vocabulary of the sequence; a blank or missing element is padding."""
        return VocabularyRules(self.shares, blank="padding", text=self.rules.text)

    def parse(self, source: CellSource) -> Cells:
        """Number the element of each list, none where the list is shorter."""
        return _number_elements(source, self.column, self.rules, self.place)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit, which has nothing to count."""
        assert vocabulary is not None, "the sequence has a vocabulary"
        return VocabularyFeatureFit(vocabulary, "padding", self._spec, done=True)

    def _spec(self, file: str, num_ids: int, _output: FeatureOutput, vocabulary: Vocabulary) -> LastElementSpec:
        return LastElementSpec(
            name=self.name,
            column=self.column,
            sequence=self.sequence,
            place=self.place,
            separator=self.rules.separator,
            text=self.rules.text,
            num_ids=num_ids,
            vocabulary=file,
            shares=self.shares,
            unseen_id=vocabulary.unseen_id,
        )


class LastElementSpec(FeatureSpec):
    """The fitted element at ``place`` from the end of the lists of a ``sequence``."""

    kind: Literal["last_element"] = "last_element"
    reads: ClassVar[Literal["value", "number", "list"]] = "list"
    keeps_cells: ClassVar[bool] = True
    sequence: str
    place: int
    separator: str | None
    text: TextRule
    num_ids: int
    vocabulary: str
    shares: str
    unseen_id: int | None = None

    @property
    def list_separator(self) -> str | None:
        """What stands between the elements of a list in a text; None if a cell is a list."""
        return self.separator

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example, with the rows of the sequence's elements."""
        return CategoricalFeature(
            self.name, self.num_ids, self.shares, element_of=self.sequence, unseen_id=self.unseen_id
        )

    @property
    def vocabulary_file(self) -> VocabularyFile:
        """The vocabulary file of the sequence; a blank or missing element is padding."""
        return VocabularyFile(self.vocabulary, self.num_ids, "padding", self.shares, self.unseen_id)

    def parse(self, source: CellSource) -> Cells:
        """Number the element of each list, none where the list is shorter."""
        return _number_elements(source, self.column, ListRules(self.separator, self.place, self.text), self.place)

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Return the id of each element, padding where there is none: int32 (row,)."""
        assert cells.offsets is not None, "parse returns lists"
        return pad_left(cells.values, cells.offsets, 1)[:, 0]

    def describe(self) -> str:
        """Name the sequence and the place."""
        return f"newest element of {self.sequence}" if self.place == 1 else f"element {self.place} from the newest"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: values; padding stands for blank elements and for missing ones."""
        assert vocabulary is not None, "the feature has a vocabulary"
        return IdMeaning(None, meaning_of_values(vocabulary).text_of)


def elements_at(lists: CellLists, place: int) -> CellLists:
    """Cut each list to its element at ``place`` from the end, or to none if it is shorter.

    Example:
        >>> import polars as pl
        >>> from rankelastor.data.cells.texts import CellTexts
        >>> texts = CellTexts(pl.Series(["a", "b", "c"]), np.array([0, 1, 2, 1]))
        >>> second = elements_at(CellLists(texts, np.array([0, 3, 3, 4])), place=2)  # [a b c], [], [b]
        >>> second.elements.codes.tolist(), second.offsets.tolist()
        ([1], [0, 1, 1, 1])
    """
    is_there = np.diff(lists.offsets) >= place
    codes = lists.elements.codes[lists.offsets[1:][is_there] - place]
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(is_there, dtype=np.int64)])
    return CellLists(type(lists.elements)(lists.elements.values, codes), offsets)


def _number_elements(source: CellSource, column: str, rules: ListRules, place: int) -> Cells:
    lists = elements_at(rules.read(source, column), place)
    return Cells(source.numbering.number(lists.elements.values)[lists.elements.codes], lists.offsets)
