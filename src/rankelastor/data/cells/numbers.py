"""Parse the cells of one column as numbers; errors name file, column, row and value."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankelastor.data.cells.number_advice import advise_on_number
from rankelastor.data.cells.number_texts import PLAIN, NumberMarks, plain_numbers, read_numbers
from rankelastor.data.cells.spelling import SPACES
from rankelastor.data.cells.texts import as_text
from rankelastor.data.cells.time_formats import parse_times
from rankelastor.data.cells.typed_times import NANOSECONDS, TimeUnit, count_units, is_time
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

Infinite = Literal["refuse", "clip"]
"""Whether infinite numbers are refused, or become the largest or smallest finite number of the train split."""

_BEYOND_64_BITS = 2.0**63
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class NumberRules:
    """How the numbers of a column are read.

    Attributes:
        marks: the decimal mark and the thousands separator of numbers that are written as text.
        unit: the unit in which durations, dates and timestamps are counted; None refuses them.
        infinite: whether infinite numbers are refused or kept for the feature to clip.
    """

    marks: NumberMarks = PLAIN
    unit: TimeUnit | None = None
    infinite: Infinite = "refuse"


def parse_numbers(
    rows: RawRows,
    column: str,
    *,
    blanks: Collection[str],
    blank: float | None,
    rules: NumberRules = NumberRules(),
) -> NDArray[np.float64]:
    """Parse the numbers of a column.

    Args:
        rows: raw rows.
        column: the column to read.
        blanks: texts that mean blank, besides the empty cell, null and a typed NaN; typed numbers that equal one of
            them are blank too.
        blank: the number that replaces a blank; None refuses blanks.
        rules: how numbers are read.

    Returns:
        One float64 per row, each within the range of float32, and finite unless ``rules`` clip infinite numbers.

    Example:
        >>> from pathlib import Path
        >>> batch = pa.RecordBatch.from_pydict({"age": ["7", "", "-1.5"]})
        >>> parse_numbers(RawRows(batch, Path("log.csv")), "age", blanks=[], blank=0.0).tolist()
        [7.0, 0.0, -1.5]

    Raises:
        DataError: a cell is not a number, infinite, an integer beyond 64 bits, a time without a unit, or blank where
            blanks are refused.
    """
    quick = _plain_floats(rows.column(column), blank, _blank_numbers(blanks, rules.marks))
    if quick is not None:
        return quick
    numbers, is_blank = _convert(rows, column, blanks, rules)
    if blank is None:
        _refuse(rows, column, is_blank, "must not be blank (blank: null)", "try blank: 0")
    return _check_numbers(rows, column, numbers.zip_with(~is_blank, pl.Series([blank], dtype=pl.Float64)), rules)


def parse_numbers_or_blanks(
    rows: RawRows,
    column: str,
    *,
    blanks: Collection[str],
    rules: NumberRules = NumberRules(),
) -> NDArray[np.float64]:
    """Parse the numbers of a column, NaN for blank cells.

    Raises:
        DataError: as ``parse_numbers``; the text NaN is refused unless ``blanks`` lists it.
    """
    numbers, is_blank = _convert(rows, column, blanks, rules)
    checked = _check_numbers(rows, column, numbers.zip_with(~is_blank, pl.Series([0.0])), rules)
    checked[is_blank.to_numpy()] = np.nan
    return checked


def _check_numbers(rows: RawRows, column: str, numbers: pl.Series, rules: NumberRules) -> NDArray[np.float64]:
    advice = "if it means blank, leave the cell empty or list it in csv.blanks"
    _refuse(rows, column, numbers.is_nan(), "must hold finite numbers", advice)
    if rules.infinite == "refuse":
        advice = "try infinite: clip, or list it in csv.blanks if it means blank"
        _refuse(rows, column, numbers.is_infinite(), "must hold finite numbers", advice)
    _refuse_too_large(rows, column, numbers, rules.marks)
    checked: NDArray[np.float64] = numbers.to_numpy() + 0.0  # -0.0 becomes 0.0: equal numbers are the same bytes
    return checked


def _plain_floats(cells: pa.Array, blank: float | None, blanks: list[float]) -> NDArray[np.float64] | None:
    """Return the numbers of a float64 column if all are valid; None if the column needs the full check."""
    if cells.type != pa.float64() or (cells.null_count and blank is None):
        return None
    numbers: NDArray[np.float64] = cells.fill_null(blank or 0.0).to_numpy(zero_copy_only=False) + 0.0
    if blanks and np.isin(numbers, blanks).any():
        return None
    return numbers if np.all(np.abs(numbers) <= _FLOAT32_MAX) else None


def _blank_numbers(blanks: Collection[str], marks: NumberMarks) -> list[float]:
    """Read the numbers among the texts that mean blank."""
    if not blanks:
        return []
    numbers: list[float] = (
        read_numbers(pl.Series(list(blanks), dtype=pl.String), marks).drop_nulls().drop_nans().to_list()
    )
    return numbers


def _convert(rows: RawRows, column: str, blanks: Collection[str], rules: NumberRules) -> tuple[pl.Series, pl.Series]:
    """Convert cells to numbers (null if blank), and tell which are blank."""
    cells = rows.column(column)
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    numbers = _typed_numbers(rows, column, cells, rules)
    if numbers is None:
        return _numbers_of_texts(rows, column, blanks, rules)
    is_blank = numbers.is_null() | numbers.is_nan() | numbers.is_in(_blank_numbers(blanks, rules.marks))
    return numbers, is_blank.fill_null(value=True)


def _typed_numbers(rows: RawRows, column: str, cells: pa.Array, rules: NumberRules) -> pl.Series | None:
    kind = cells.type
    if is_time(kind):
        if rules.unit is None:
            raise DataError(
                f"{rows.file}, column {column!r} must hold numbers, but its type is {kind}; set unit to count "
                f"{'it' if pa.types.is_duration(kind) else 'the time'} in days, hours, minutes, seconds or milliseconds"
            )
        return count_units(cells, rules.unit).alias(column)
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pl.Series(column, cells.cast(pa.float32()) if pa.types.is_float16(kind) else cells).cast(pl.Float64)
    return pl.Series(column, pc.cast(cells, pa.float64())) if pa.types.is_decimal(kind) else None


def _numbers_of_texts(
    rows: RawRows, column: str, blanks: Collection[str], rules: NumberRules
) -> tuple[pl.Series, pl.Series]:
    texts = pl.Series(column, as_text(rows, column), dtype=pl.String).fill_null("")
    stripped = texts.str.strip_chars(SPACES)
    is_blank = stripped.is_in(["", *blanks]) | texts.is_in(list(blanks))
    numbers = read_numbers(stripped, rules.marks)
    if rules.unit is not None:
        times = parse_times(stripped, "iso").instants.cast(pl.Float64) / NANOSECONDS[rules.unit]
        numbers = numbers.zip_with(numbers.is_not_null(), times)
    blank_numbers = _blank_numbers(blanks, rules.marks)
    if blank_numbers:
        is_blank = is_blank | numbers.is_in(blank_numbers).fill_null(value=False)
    wrong = numbers.is_null() & ~is_blank
    if wrong.any():
        advice = advise_on_number(stripped.filter(wrong)[0])
        if not rules.marks.are_plain:
            advice = "check csv.decimal and csv.thousands"
        elif _have_commas(stripped.filter(wrong)):
            advice = 'set csv.decimal: "," if commas are decimals, or csv.thousands: "," if they separate thousands'
        _refuse(rows, column, wrong, "must hold numbers", advice)
    return numbers, is_blank


def _have_commas(texts: pl.Series) -> bool:
    """Tell whether the first of these texts is a number with commas."""
    return bool(len(texts) and texts.head(1).str.contains(r"^[+-]?[\d., ]*\d,\d[\d., ]*$")[0])


def _refuse_too_large(rows: RawRows, column: str, numbers: pl.Series, marks: NumberMarks) -> None:
    large = numbers.is_finite() & (numbers.abs() >= _BEYOND_64_BITS)
    if not large.any():
        return
    kind = rows.column(column).type
    if not (pa.types.is_floating(kind) or is_time(kind)):
        texts = plain_numbers(pl.Series(column, as_text(rows, column), dtype=pl.String), marks)
        is_integer = texts.str.contains(r"^[+-]?\d+$").fill_null(value=False)
        beyond = large & is_integer & texts.cast(pl.Int64, strict=False).is_null()
        advice = "such an integer is most likely an id; try kind: categorical"
        _refuse(rows, column, beyond, "must hold integers that fit in 64 bits", advice)
    advice = "scale the column, or try kind: categorical"
    too_large = large & (numbers.abs() > _FLOAT32_MAX)
    _refuse(rows, column, too_large, "must hold numbers of magnitude 3.4e38 at most", advice)


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
