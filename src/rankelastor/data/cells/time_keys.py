"""Compute sortable time keys of rows: numbers as they are, texts by their byte order."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.numbers import parse_numbers
from rankelastor.data.cells.texts import BLANK, cell_texts
from rankelastor.data.interner import Interner
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

_FIRST_SHARED = 2.0**53
"""The smallest float64 that represents two integers: 2^53 + 1 is rounded to it."""


class TimeKeys:
    """Converter of the time column into numbers that sort by time.

    The first row decides: if it holds a number, all rows must; otherwise times are texts, ordered by their bytes.
    Texts get provisional keys that ``finish`` replaces by their ranks once all rows have been read.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._texts: Interner | None = None
        self._numeric: bool | None = None

    def keys(self, rows: RawRows) -> NDArray[np.float64]:
        """Compute a key for each row, provisional if times are texts.

        Raises:
            DataError: a time is blank, not a number though the first row holds one, or an integer that float64 rounds.
        """
        if self._numeric is None:
            self._numeric = _is_number(rows, self._column)
        if self._numeric:
            return _exact_numbers(rows, self._column)
        texts = cell_texts(rows, self._column, blanks=())
        blank = (texts.values == BLANK).to_numpy()[texts.codes]
        if blank.any():
            raise _blank_error(rows, self._column, int(blank.argmax()))
        self._texts = self._texts or Interner()
        return self._texts.codes(texts.values)[texts.codes].astype(np.float64)

    def finish(self, keys: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn the provisional keys of all rows into final ones."""
        if self._texts is None:
            return keys
        ranks = self._texts.values().rank("dense").to_numpy().astype(np.float64)
        return ranks[keys.astype(np.int64)]


def _exact_numbers(rows: RawRows, column: str) -> NDArray[np.float64]:
    """Parse the times as float64; refuse integers that would be rounded."""
    try:
        numbers = parse_numbers(rows, column, blanks=(), blank=None)
    except DataError:
        _refuse_blanks_and_texts(rows, column)
        raise
    cells = rows.column(column)
    rounded = np.abs(numbers) >= _FIRST_SHARED
    if rounded.any() and not pa.types.is_floating(cells.type):
        index = int(rounded.argmax())
        raise DataError(
            f"{rows.file}, column {column!r}, row {rows.row_number(index)} must hold times below 2^53, so that "
            f"their order is exact, but {cells[index].as_py()} was given; divide nanoseconds by 1000"
        )
    return numbers


def _refuse_blanks_and_texts(rows: RawRows, column: str) -> None:
    """Raise at the first time that is blank or a text, where the first row holds a number."""
    texts = cell_texts(rows, column, blanks=())
    wrong = texts.values.str.strip_chars(" \t").cast(pl.Float64, strict=False).is_null().to_numpy()[texts.codes]
    if not wrong.any():
        return
    index = int(wrong.argmax())
    text = texts.values[int(texts.codes[index])]
    if text == BLANK:
        raise _blank_error(rows, column, index)
    raise DataError(
        f"{rows.file}, column {column!r}, row {rows.row_number(index)} must hold a number, as the first row does, "
        f"but {text!r} was given; write all times to split by in one way"
    )


def _blank_error(rows: RawRows, column: str, index: int) -> DataError:
    return DataError(
        f"{rows.file}, column {column!r}, row {rows.row_number(index)}: the time to split by must not be blank; "
        "fix the row, or choose another data.split"
    )


def _is_number(rows: RawRows, column: str) -> bool:
    cells = rows.column(column)
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
        return True
    first = cell_texts(rows, column, blanks=())
    text = first.values.gather(first.codes[:1])
    return text.cast(pl.Float64, strict=False).null_count() == 0
