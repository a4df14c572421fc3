"""Parsed cells of one column, the common form between parsing and encoding: numbers, codes or lists of codes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.lists import Offsets
from rankelastor.data.cells.number_texts import PLAIN, NumberMarks
from rankelastor.data.cells.spelling import Spelling, TextRule
from rankelastor.data.cells.text_notes import TextNotes
from rankelastor.data.interner import Interner
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import RawRows


@dataclass(frozen=True)
class Numbering:
    """A mapping from texts to integers: provisional codes during preparation, final ids during serving.

    ``once_per_text`` says that texts should be deduplicated first, because a look-up is slow.
    """

    number: Callable[[pl.Series], NDArray[Any]]
    once_per_text: bool

    @classmethod
    def provisional(cls, interner: Interner) -> Self:
        """Number texts with a growing dictionary, which is as fast as deduplicating them."""
        return cls(interner.codes, once_per_text=False)

    @classmethod
    def none(cls) -> Self:
        """Make a numbering that refuses all texts, for kinds without a vocabulary."""

        def refuse(_: pl.Series) -> NDArray[Any]:
            raise AssertionError("a kind without a vocabulary must not number texts")

        return cls(refuse, once_per_text=True)


@dataclass(frozen=True)
class CellSource:
    """Raw rows to parse, and the rules by which their cells are read.

    Attributes:
        rows: the rows.
        blanks: texts that mean blank.
        numbering: the numbering of texts.
        marks: the decimal mark and the thousands separator of numbers that are written as text.
        notes: collects texts to be warned of; None while serving.
        format_version: the format version of the prepared folder that the features belong to.
    """

    rows: RawRows
    blanks: Collection[str]
    numbering: Numbering
    marks: NumberMarks = PLAIN
    notes: TextNotes | None = None
    format_version: int = 2

    def spelling(self, rule: TextRule) -> Spelling:
        """Return the spelling of a field with this rule for texts; format version 1 had one for all."""
        return "version_1" if self.format_version == 1 else rule


def marks_of_csv(csv: CsvSettings) -> NumberMarks:
    """Return the marks in the numbers of CSV files.

    Example:
        >>> marks_of_csv(CsvSettings(decimal=",", thousands="."))
        NumberMarks(decimal=',', thousands='.')
    """
    return NumberMarks(csv.decimal, csv.thousands)


@dataclass(frozen=True)
class Cells:
    """The cells of one column: ``values`` holds one entry per row, or, with ``offsets``, one per element of a list.

    Row i of a list column holds ``values[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> cells = Cells(np.array([4, 0, 2], dtype=np.uint32), np.array([0, 2, 3]))
        >>> cells.select(np.array([True, False])).values.tolist()
        [4, 0]
    """

    values: NDArray[Any]
    offsets: Offsets | None = None

    def select(self, mask: NDArray[np.bool_]) -> Cells:
        """Select the rows where ``mask``, bool (row,), is true."""
        if mask.all():
            return self
        if self.offsets is None:
            return Cells(self.values[mask])
        lengths = np.diff(self.offsets)
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths[mask], dtype=np.int64)])
        return Cells(self.values[np.repeat(mask, lengths)], offsets)

    def translate(self, id_of_code: NDArray[np.int32]) -> Cells:
        """Replace each provisional code by its final id."""
        return Cells(id_of_code[self.values], self.offsets)

    def to_arrow(self) -> pa.Array:
        """Convert the cells to the Arrow array that is staged on disk."""
        if self.offsets is None:
            return pa.array(self.values)
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), pa.array(self.values))

    @classmethod
    def from_arrow(cls, column: pa.Array) -> Self:
        """View an array made by ``to_arrow`` as cells, without a copy."""
        if not pa.types.is_list(column.type):
            return cls(column.to_numpy(zero_copy_only=True))
        return cls(column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True))
