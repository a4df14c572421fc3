"""The features of ``matches``: whether, how often and how recently a sequence holds the value of another column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.lists import CellLists
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import BLANK, CellTexts, cell_texts
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.field import FeatureFit, NothingToFit, Reads
from rankelastor.data.kinds.list_rules import ListRules
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.schema import PADDING_ID, CategoricalFeature

MatchPart = Literal["times_seen", "steps_ago"]
MATCH_PARTS: tuple[MatchPart, ...] = get_args(MatchPart)
_NOT_SEEN_ID = 1
_NOTHING_TO_COMPARE = -1


def first_of_buckets(largest: int) -> NDArray[np.int64]:
    """List the first number of each bucket of the counts 1 to ``largest``: 1, 2, 3 and 4, then two each doubling.

    Example:
        >>> first_of_buckets(16).tolist()  # the last bucket is 13 to 16
        [1, 2, 3, 4, 5, 7, 9, 13]
    """
    doublings = 2 ** np.arange(2, max(3, int(largest).bit_length()))
    starts = np.concatenate([[1, 2, 3, 4], np.stack([doublings, doublings * 3 // 2], axis=1).flatten() + 1])
    return starts[starts <= largest]


@dataclass(frozen=True)
class PlannedMatch:
    """A match of a sequence with another column, which needs no fit."""

    spec: MatchSpec
    kind: ClassVar[str] = "match"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1
    vocabulary: ClassVar[None] = None
    other_setting: ClassVar[str] = "matches"

    @property
    def name(self) -> str:
        """Name of the feature."""
        return self.spec.name

    @property
    def column(self) -> str:
        """Name of the column of lists."""
        return self.spec.column

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Name of the column whose value is looked for."""
        return (self.spec.candidate,)

    def parse(self, source: CellSource) -> Cells:
        """Look for the value of each row in its list."""
        return self.spec.parse(source)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        """Make the fit, which has nothing to do."""
        assert vocabulary is None, "counts need no vocabulary"
        return NothingToFit(self.spec)


class MatchSpec(FeatureSpec):
    """How often, or how many steps ago, the newest ``max_length`` elements of a list held the ``candidate`` of a row.

    Ids: 1 if they do not hold it, then one for each bucket of ``first_of_buckets``; padding if the candidate or the
    whole list is blank. The newest element is 1 step ago; blank elements are counted as steps.
    """

    kind: Literal["match"] = "match"
    part: MatchPart
    candidate: str
    separator: str | None
    max_length: int
    text: TextRule

    def derived(self) -> dict[str, Any]:
        """Compute the first place of each bucket of recency."""
        return {"firsts": first_of_buckets(self.max_length).tolist()}

    @property
    def columns(self) -> tuple[str, ...]:
        """The column of lists and that of the candidate."""
        return (self.column, self.candidate)

    @property
    def feature(self) -> CategoricalFeature:
        """The feature as models see it: one id per example."""
        return CategoricalFeature(self.name, len(self._firsts) + 2)

    def parse(self, source: CellSource) -> Cells:
        """Look for the candidate of each row in its list: int32 counts or steps, 0 if not found, -1 if blank."""
        lists = ListRules(self.separator, self.max_length, self.text).read(source, self.column)
        candidates = cell_texts(source.rows, self.candidate, source.blanks, source.spelling(self.text))
        return Cells(_numbers_of(self.part, lists, candidates))

    def encode(self, cells: Cells) -> NDArray[Any]:
        """Return the id of the bucket of each number: int32 (row,)."""
        ids = np.searchsorted(self._firsts, cells.values, side="right") + _NOT_SEEN_ID
        return np.where(cells.values == _NOTHING_TO_COMPARE, PADDING_ID, ids).astype(np.int32)

    def describe(self) -> str:
        """Name the part and the candidate."""
        return f"{'times' if self.part == 'times_seen' else 'steps since'} {self.candidate} was seen"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        """Say what the ids stand for: no match, ranges of numbers, or a blank."""
        assert vocabulary is None, "counts need no vocabulary"
        return IdMeaning((PADDING_ID,), self._range)

    @property
    def _firsts(self) -> NDArray[np.int64]:
        return first_of_buckets(self.max_length)

    def _range(self, index: int) -> str:
        if index == _NOT_SEEN_ID:
            return "not seen"
        first = int(self._firsts[index - _NOT_SEEN_ID - 1])
        last = int(np.append(self._firsts[1:] - 1, self.max_length)[index - _NOT_SEEN_ID - 1])
        return str(first) if first == last else f"{first}..{last}"


def _numbers_of(part: MatchPart, lists: CellLists, candidates: CellTexts) -> NDArray[np.int32]:
    """Count the elements that equal the candidate of their row, or the steps back to the newest of them."""
    num_rows = len(candidates.codes)
    lengths = np.diff(lists.offsets)
    row = np.repeat(np.arange(num_rows), lengths)
    values = pl.concat([lists.elements.values.alias("text"), candidates.values.alias("text")])
    code_of = values.rank("dense").to_numpy()  # equal texts, of lists or candidates, get equal codes
    elements = code_of[: len(lists.elements.values)][lists.elements.codes]
    is_match = elements == code_of[len(lists.elements.values) :][candidates.codes][row]
    if part == "times_seen":
        numbers = np.bincount(row[is_match], minlength=num_rows)
    else:
        numbers = np.zeros(num_rows, dtype=np.int64)
        steps = lists.offsets[1:][row] - np.arange(len(row))
        numbers[row[is_match]] = steps[is_match]  # the newest comes last and stays
    is_blank = (candidates.values == BLANK).to_numpy()[candidates.codes]
    has_elements = np.bincount(row[_are_values(lists)], minlength=num_rows) > 0
    return np.where(is_blank | ~has_elements, _NOTHING_TO_COMPARE, numbers).astype(np.int32)


def _are_values(lists: CellLists) -> NDArray[np.bool_]:
    are_values: NDArray[np.bool_] = (lists.elements.values != BLANK).to_numpy()[lists.elements.codes]
    return are_values
