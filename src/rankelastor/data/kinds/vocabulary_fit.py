"""Fit a vocabulary on all columns that share it, and number the texts of a column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.cells.texts import BLANK, BlankIds, cell_texts, plain_texts
from rankelastor.data.features.extended_vocabulary import FormerValues, NewDay, extend_vocabulary
from rankelastor.data.features.rare_values import RareValues
from rankelastor.data.features.vocabulary import Vocabulary, order_values
from rankelastor.data.interner import Interner
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules

SpecOf = Callable[[str, int, FeatureOutput, Vocabulary], FeatureSpec]
"""Makes the spec from the name of the vocabulary file, the number of ids, the output folders, and the vocabulary."""


@dataclass(frozen=True)
class Former:
    """The values of the days before, which a vocabulary extends; ``keep`` are values that always stay."""

    values: FormerValues
    day: NewDay
    keep: frozenset[str] = frozenset()

    def extend(self, texts: pl.Series, counts: NDArray[np.int64], *, min_count: int) -> FormerValues:
        """Add the counts of another day, see ``extend_vocabulary``."""
        return extend_vocabulary(self.values, texts, counts, min_count=min_count, day=self.day, keep=self.keep)


@dataclass(frozen=True)
class VocabularyToOrder:
    """The texts of a dictionary, in order of their codes, with counts, and the rules of their vocabulary to be."""

    values: pl.Series
    counts: NDArray[np.int64]
    min_count: int
    blank: BlankIds
    former: Former | None = None
    keeps_rare: bool = False


@dataclass(frozen=True)
class OrderedVocabulary:
    """A fitted vocabulary.

    Attributes:
        vocabulary: the known values.
        codes: the provisional code of each of them; None if the vocabulary was extended and must look them up.
        rare: the values without an id for their rarity; None if they are not kept.
    """

    vocabulary: Vocabulary
    codes: NDArray[np.uint32] | None = None
    rare: RareValues | None = None


def order_vocabulary(job: VocabularyToOrder) -> OrderedVocabulary:
    """Fit a vocabulary, in which the most frequent value has the first id, or extend that of the days before."""
    if job.former is not None:
        extended = job.former.extend(job.values, job.counts, min_count=job.min_count)
        return OrderedVocabulary(extended.vocabulary, rare=extended.rare)
    order = order_values(job.values, job.counts, min_count=job.min_count, blank=job.blank)
    vocabulary, codes = Vocabulary.of_order(job.values, job.counts, order, job.blank), order.astype(np.uint32)
    if not job.keeps_rare:
        return OrderedVocabulary(vocabulary, codes)
    rare = RareValues.of_first_day(job.values, job.counts, min_count=job.min_count, blank=job.blank)
    return OrderedVocabulary(vocabulary, codes, rare)


def codes_to_count(cells: Cells, blank_code: int) -> NDArray[np.uint32]:
    """Select the codes of cells that count: a blank element of a list is padding and does not."""
    values: NDArray[np.uint32] = cells.values
    return values if cells.offsets is None else values[values != blank_code]


class VocabularyFit:
    """Counter of the occurrences of each text of a dictionary in the train rows; then the fitted vocabulary.

    Attributes:
        interner: the dictionary of the provisional codes.
        file: the name of the vocabulary file to write.
        are_cells: whether its values are cells of a column.
        blank_code: the provisional code of the blank text.
    """

    def __init__(
        self,
        rules: VocabularyRules,
        interner: Interner,
        file: str,
        *,
        former: Former | None = None,
        keeps_rare: bool = False,
    ) -> None:
        assert rules.shares is None, "the owner of a vocabulary shares no other"
        assert rules.blank is not None, "the owner has a rule of its own"
        self._min_count, self._blank = rules.min_count, rules.blank
        self.interner, self.file, self.are_cells = interner, file, rules.are_cells
        self.blank_code = int(interner.codes(pl.Series([BLANK]))[0])  # the blank gets a code even if no cell is blank
        self._counts: NDArray[np.int64] | None = np.zeros(len(interner), dtype=np.int64)
        self._vocabulary: Vocabulary | None = None
        self._codes: NDArray[np.uint32] | None = None
        self._former, self._keeps_rare = former, keeps_rare

    def add(self, cells: Cells) -> None:
        """Count some train rows; a blank element of a list is padding and does not count."""
        assert self._counts is not None, "nothing is counted once the vocabulary is fitted"
        np.add.at(self._counts, codes_to_count(cells, self.blank_code), 1)

    def add_counts(self, codes: NDArray[np.uint32], counts: NDArray[np.int64]) -> None:
        """Add what was counted elsewhere: the number of occurrences of each of some codes, which differ."""
        assert self._counts is not None, "nothing is counted once the vocabulary is fitted"
        self._counts[codes] += counts

    def to_order(self) -> VocabularyToOrder:
        """Hand the texts and their counts over, which are freed here."""
        assert self._counts is not None, "a vocabulary is ordered once"
        counts, self._counts = self._counts, None
        values = self.interner.values()
        return VocabularyToOrder(values, counts, self._min_count, self._blank, self._former, self._keeps_rare)

    def close(self, ordered: OrderedVocabulary | None = None) -> Vocabulary:
        """Take the fitted vocabulary over; None: fit it now."""
        found = order_vocabulary(self.to_order()) if ordered is None else ordered
        self._vocabulary = found.vocabulary
        self._codes = self.interner.codes(self._vocabulary.values) if found.codes is None else found.codes
        return self._vocabulary

    def with_blank(self, blank: BlankIds | None) -> Vocabulary:
        """Return the fitted vocabulary with another rule for blanks; None keeps its own."""
        assert self._vocabulary is not None, "close comes first"
        return self._vocabulary if blank is None else replace(self._vocabulary, blank=blank)

    def ids_of_codes(self, blank: BlankIds | None) -> NDArray[np.int32]:
        """Compute the table from provisional codes to ids, with another rule for blanks; None keeps its own."""
        assert self._codes is not None, "close comes first"
        return self.with_blank(blank).ids_of_codes(
            self._codes, num_codes=len(self.interner), blank_code=self.blank_code
        )


@dataclass
class VocabularyFeatureFit:
    """The fit of one feature whose ids come from a vocabulary: one pass of counting."""

    vocabulary: VocabularyFit
    blank: BlankIds | None
    spec_of: SpecOf
    done: bool = False

    def add(self, cells: Cells) -> None:
        """Count some train rows."""
        self.vocabulary.add(cells)

    def end_pass(self) -> None:
        """End the only pass."""
        self.done = True

    def finish(self, output: FeatureOutput) -> FeatureSpec:
        """Return the spec; the vocabulary must be closed."""
        vocabulary = self.vocabulary.with_blank(self.blank)
        return self.spec_of(self.vocabulary.file, vocabulary.num_ids, output, vocabulary)


def number_texts(source: CellSource, column: str, text: TextRule = "canonical") -> Cells:
    """Parse a column of texts into one number per row; blank cells get the number of the blank text.

    If numbering is fast, plain text is numbered row by row: deduplicating a piece first would hash each cell once
    and most texts of a large vocabulary twice. All other columns are deduplicated first.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> from rankelastor.data.kinds.cells import Numbering
        >>> from rankelastor.data.raw.rows import RawRows
        >>> rows = RawRows(pa.RecordBatch.from_pydict({"site": ["b", "?", "b", None]}), Path("log.parquet"))
        >>> number_texts(CellSource(rows, ["?"], Numbering.provisional(Interner())), "site").values.tolist()
        [0, 1, 0, 1]

    Raises:
        DataError: the column holds lists, structures or bytes, or whole floats that their type rounds.
    """
    if not source.numbering.once_per_text:
        texts = plain_texts(source.rows, column, source.blanks, source.spelling(text))
        if texts is not None:
            return Cells(source.numbering.number(texts))
    distinct = cell_texts(source.rows, column, source.blanks, source.spelling(text))
    return Cells(source.numbering.number(distinct.values)[distinct.codes])
