"""Parse the cells of one column as numbers; errors name file, column, row and value."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.number_advice import advise_on_number
from rankelastor.data.cells.texts import as_text
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

_SPACES = " \t"  # ignored around a number, as in Arrow's reader
_BEYOND_64_BITS = 2.0**63
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def parse_numbers(rows: RawRows, column: str, *, blanks: Collection[str], blank: float | None) -> NDArray[np.float64]:
    """Parse the numbers of a column.

    Args:
        rows: raw rows.
        column: the column to read.
        blanks: texts that mean blank, besides the empty cell and null.
        blank: the number that replaces a blank; None refuses blanks.

    Returns:
        One float64 per row, each finite and within the range of float32.

    Example:
        >>> from pathlib import Path
        >>> batch = pa.RecordBatch.from_pydict({"age": ["7", "", "-1.5"]})
        >>> parse_numbers(RawRows(batch, Path("log.csv")), "age", blanks=[], blank=0.0).tolist()
        [7.0, 0.0, -1.5]

    Raises:
        DataError: a cell is not a number, NaN, infinite, an integer beyond 64 bits, or blank where blanks are refused.
    """
    quick = _plain_floats(rows.column(column), blank)
    if quick is not None:
        return quick
    numbers, is_blank = _convert(rows, column, blanks)
    if blank is None:
        _refuse(rows, column, is_blank, "must not be blank (blank: null)", "try blank: 0")
    return _check_numbers(rows, column, numbers.zip_with(~is_blank, pl.Series([blank], dtype=pl.Float64)))


def parse_numbers_or_blanks(rows: RawRows, column: str, *, blanks: Collection[str]) -> NDArray[np.float64]:
    """Parse the numbers of a column, NaN for blank cells.

    Raises:
        DataError: as ``parse_numbers``; NaN itself is refused, so that it can only mean blank.
    """
    numbers, is_blank = _convert(rows, column, blanks)
    checked = _check_numbers(rows, column, numbers.zip_with(~is_blank, pl.Series([0.0])))
    checked[is_blank.to_numpy()] = np.nan
    return checked


def _check_numbers(rows: RawRows, column: str, numbers: pl.Series) -> NDArray[np.float64]:
    advice = "if it means blank, leave the cell empty or list it in csv.blanks"
    _refuse(rows, column, ~numbers.is_finite(), "must hold finite numbers", advice)
    _refuse_too_large(rows, column, numbers)
    checked: NDArray[np.float64] = numbers.to_numpy() + 0.0  # -0.0 becomes 0.0: equal numbers are the same bytes
    return checked


def _plain_floats(cells: pa.Array, blank: float | None) -> NDArray[np.float64] | None:
    """Return the numbers of a float64 column if all are valid; None if the column needs the full check."""
    if cells.type != pa.float64() or (cells.null_count and blank is None):
        return None
    numbers: NDArray[np.float64] = cells.fill_null(blank or 0.0).to_numpy(zero_copy_only=False) + 0.0
    return numbers if np.all(np.abs(numbers) <= _FLOAT32_MAX) else None


def _convert(rows: RawRows, column: str, blanks: Collection[str]) -> tuple[pl.Series, pl.Series]:
    """Convert cells to numbers (null if blank), and tell which are blank."""
    cells = rows.column(column)
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type) or pa.types.is_boolean(cells.type):
        numbers = pl.Series(column, cells).cast(pl.Float64)
        return numbers, numbers.is_null()
    texts = pl.Series(column, as_text(rows, column), dtype=pl.String)
    is_blank = texts.is_null() | texts.is_in(["", *blanks])
    numbers = texts.str.strip_chars(_SPACES).cast(pl.Float64, strict=False)
    wrong = numbers.is_null() & ~is_blank
    if wrong.any():
        _refuse(rows, column, wrong, "must hold numbers", advise_on_number(texts.filter(wrong)[0]))
    return numbers, is_blank


def _refuse_too_large(rows: RawRows, column: str, numbers: pl.Series) -> None:
    large = numbers.abs() >= _BEYOND_64_BITS
    if not large.any():
        return
    if not pa.types.is_floating(rows.column(column).type):
        texts = pl.Series(column, as_text(rows, column), dtype=pl.String)
        texts = texts.str.strip_chars(_SPACES)
        is_integer = texts.str.contains(r"^[+-]?\d+$").fill_null(value=False)
        beyond = large & is_integer & texts.cast(pl.Int64, strict=False).is_null()
        advice = "such an integer is most likely an id; try kind: categorical"
        _refuse(rows, column, beyond, "must hold integers that fit in 64 bits", advice)
    advice = "scale the column, or try kind: categorical"
    _refuse(rows, column, numbers.abs() > _FLOAT32_MAX, "must hold numbers of magnitude 3.4e38 at most", advice)


def _refuse(rows: RawRows, column: str, wrong: pl.Series, rule: str, advice: str) -> None:
    """Raise a ``DataError`` that names the first row in which ``wrong`` is true, if any."""
    if not wrong.any():
        return
    index = wrong.arg_max()
    assert index is not None
    value = rows.column(column)[index].as_py()
    given = "a blank" if value in {None, ""} else repr(value if isinstance(value, int | float | str) else str(value))
    raise DataError(
        f"{rows.file}, column {column!r}, row {rows.row_number(index)} {rule}, but {given} was given; {advice}"
    )
