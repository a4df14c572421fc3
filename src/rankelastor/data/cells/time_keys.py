"""Compute sortable time keys of rows: numbers as they are, times as nanoseconds since 1970 in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.number_texts import PLAIN, NumberMarks, marks_of, plain_numbers, read_numbers
from rankelastor.data.cells.numbers import NumberRules, parse_numbers
from rankelastor.data.cells.spelling import SPACES
from rankelastor.data.cells.texts import BLANK, CellTexts, as_text, cell_texts
from rankelastor.data.cells.time_formats import example_of, parse_times
from rankelastor.data.cells.typed_times import is_time_point, nanoseconds_of
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError, SettingsError
from rankelastor.remote.remote_path import AnyPath

TimeKey = NDArray[np.float64] | NDArray[np.int64]
"""Times that are numbers as float64, all others as int64 nanoseconds since 1970 in UTC."""

_FIRST_SHARED = 2.0**53
"""The smallest float64 that represents two integers: 2^53 + 1 is rounded to it."""
_EXACT_DIGITS = 15
"""Number of digits up to which two different decimals are different numbers as float64."""
_EXACT_WAYS = "name the unit, as in data.split.format: epoch_seconds, which is exact to the nanosecond"


@dataclass(frozen=True)
class TimeState:
    """What the times read so far are: numbers or not, and with an offset from UTC or not; None where nothing told."""

    numeric: bool | None
    has_offset: bool | None


class TimeKeys:
    """Converter of the time column into numbers that sort by time.

    Without a format the first row decides: if it is a number, all rows must be and are sorted as numbers; otherwise
    texts must be ISO dates or times. Offsets are applied, and either all times have one or none has. The dates and
    timestamps of Parquet need no format. ``setting`` is what messages name: the setting of the column.
    """

    def __init__(
        self, column: str, time_format: str | None = None, marks: NumberMarks = PLAIN, *, setting: str = "data.split"
    ) -> None:
        self._column, self._format, self._marks, self._setting = column, time_format, marks, setting
        self._numeric: bool | None = None if time_format is None else False
        self._has_offset: bool | None = None

    def keys(self, rows: RawRows) -> TimeKey:
        """Compute a key for each row.

        Raises:
            DataError: a time is blank, not a number though the first row holds one, no time in the format, a number
                that float64 rounds, or has an offset where others have none.
        """
        cells = rows.column(self._column)
        if is_time_point(_plain(cells.type)):
            return self._typed_keys(rows, cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells)
        if self._numeric is None:
            self._numeric = _is_number(rows, self._column, self._marks)
        return self._exact_numbers(rows) if self._numeric else self._parsed_keys(rows)

    @property
    def state(self) -> TimeState:
        """What the times read so far are."""
        return TimeState(self._numeric, self._has_offset)

    def agree(self, state: TimeState, file: AnyPath) -> None:
        """Take over what the times of another file are.

        Raises:
            DataError: the times before are written otherwise.
        """
        for mine, its, way in (
            (self._numeric, state.numeric, "numbers"),
            (self._has_offset, state.has_offset, "times with an offset from UTC"),
        ):
            if None not in (mine, its) and mine != its:
                are, given = (f"are {way}", "are not") if mine else (f"are no {way}", "are")
                raise DataError(
                    f"{file}, column {self._column!r} must hold times as the files before it, which {are}, but its "
                    f"times {given}; write all times to split by in one way"
                )
        self._numeric = state.numeric if self._numeric is None else self._numeric
        self._has_offset = state.has_offset if self._has_offset is None else self._has_offset

    def start_of(self, moment: str | float, place: str) -> float | int:
        """Compute the key of a moment in the settings: a date or time in ISO, or a number if times are numbers.

        Raises:
            SettingsError: times are numbers and the moment is a date, or the other way round.
        """
        if self._numeric:
            if isinstance(moment, str):
                raise SettingsError(
                    f"{place} must be a number, as the times of column {self._column!r} are, but {moment!r} was given; "
                    "write a number, or name the unit, as in data.split.format: epoch_seconds"
                )
            return float(moment)
        instant = parse_times(pl.Series([str(moment)]), "iso").instants[0]
        if instant is None or not isinstance(moment, str):
            raise SettingsError(
                f"{place} must be a date or time such as 2024-05-01 or 2024-05-01T12:00, but {moment!r} was given"
            )
        return int(instant)

    def _typed_keys(self, rows: RawRows, cells: pa.Array) -> NDArray[np.int64]:
        self._numeric = False
        self._refuse_blanks(rows, np.asarray(cells.is_null()))
        instants = nanoseconds_of(cells)
        self._refuse(rows, instants.is_null().to_numpy(), "must lie between the years 1678 and 2261", "fix the row")
        has_offset = pa.types.is_timestamp(cells.type) and cells.type.tz is not None
        self._refuse_mixed_offsets(rows, np.full(len(cells), has_offset))
        return _int64(instants)

    def _parsed_keys(self, rows: RawRows) -> NDArray[np.int64]:
        texts = cell_texts(rows, self._column, (), "as_written", are_ids=False)
        self._refuse_blanks(rows, (texts.values == BLANK).to_numpy()[texts.codes])
        time_format = self._format or "iso"
        values = texts.values
        if time_format.startswith("epoch"):
            values = plain_numbers(values, marks_of(rows.column(self._column), self._marks))
        times = parse_times(values, time_format)
        wrong = times.local.is_null().to_numpy()[texts.codes]
        advice = f"check {self._setting}.format"
        if self._format is None:
            advice = f"name their format, as in {self._setting}.format: '%d/%m/%Y'"
        self._refuse(rows, wrong, f"must hold times as {time_format} ({example_of(time_format)})", advice)
        instants = times.instants
        too_far = instants.is_null().to_numpy()[texts.codes]
        self._refuse(rows, too_far, "must lie between the years 1678 and 2261", "fix the row")
        self._refuse_mixed_offsets(rows, times.offset.is_not_null().to_numpy()[texts.codes])
        return _int64(instants)[texts.codes]

    def _exact_numbers(self, rows: RawRows) -> NDArray[np.float64]:
        """Parse the times as float64; refuse numbers that would be rounded."""
        column, cells = self._column, rows.column(self._column)
        self._refuse_texts(rows)
        numbers = parse_numbers(rows, column, blanks=(), blank=None, rules=NumberRules(self._marks))
        if pa.types.is_floating(cells.type) or (pa.types.is_integer(cells.type) and not _any_rounded(numbers)):
            return numbers
        self._refuse(
            rows,
            np.abs(numbers) >= _FIRST_SHARED,
            "must hold times below 2^53, so that their order is exact",
            f"divide nanoseconds by 1000, or {_EXACT_WAYS}",
        )
        if not pa.types.is_integer(cells.type):
            texts = cell_texts(rows, column, (), "as_written", are_ids=False)
            digits = plain_numbers(texts.values, marks_of(cells, self._marks)).str.extract(r"^[+-]?0*(\d*\.\d*[1-9])")
            long = (digits.str.len_bytes() - 1 > _EXACT_DIGITS).fill_null(value=False).to_numpy()
            rule = f"must hold times of at most {_EXACT_DIGITS} digits, so that their order is exact"
            self._refuse(rows, long[texts.codes], rule, _EXACT_WAYS)
        return numbers

    def _refuse_texts(self, rows: RawRows) -> None:
        """Raise at the first time that is blank or no number, where the first row holds a number."""
        if not _is_text(rows.column(self._column)):
            return
        texts = cell_texts(rows, self._column, (), "as_written", are_ids=False)
        stripped = texts.values.str.strip_chars(SPACES)
        self._refuse_blanks(rows, (stripped == BLANK).to_numpy()[texts.codes])
        numbers = read_numbers(stripped, marks_of(rows.column(self._column), self._marks))
        rule = "must hold a number, as the first row does"
        self._refuse(rows, numbers.is_null().to_numpy()[texts.codes], rule, "write all times to split by in one way")

    def _refuse_blanks(self, rows: RawRows, blank: NDArray[np.bool_]) -> None:
        if blank.any():
            raise DataError(
                f"{rows.file}, column {self._column!r}, row {rows.row_number(int(blank.argmax()))}: the time to split "
                f"by must not be blank; fix the row, or choose another {self._setting}"
            )

    def _refuse_mixed_offsets(self, rows: RawRows, has_offset: NDArray[np.bool_]) -> None:
        if not len(has_offset):
            return
        if self._has_offset is None:
            self._has_offset = bool(has_offset[0])
        rule = (
            "must have an offset from UTC, as the times before it"
            if self._has_offset
            else ("must have no offset from UTC, as the times before it have none")
        )
        self._refuse(rows, has_offset != self._has_offset, rule, "write all times with an offset (Z is UTC), or none")

    def _refuse(self, rows: RawRows, wrong: NDArray[np.bool_], rule: str, advice: str) -> None:
        if not wrong.any():
            return
        index = int(wrong.argmax())
        given = as_text(rows, self._column)[index].as_py()
        given = repr(given) if _is_text(rows.column(self._column)) else given
        where = f"{rows.file}, column {self._column!r}, row {rows.row_number(index)}"
        raise DataError(f"{where} {rule}, but {given} was given; {advice}")


def _int64(instants: pl.Series) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = instants.to_numpy().astype(np.int64)
    return keys


def _any_rounded(numbers: NDArray[np.float64]) -> bool:
    return bool((np.abs(numbers) >= _FIRST_SHARED).any())


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(cells: pa.Array) -> bool:
    return bool(pa.types.is_string(_plain(cells.type)) or pa.types.is_large_string(_plain(cells.type)))


def _is_number(rows: RawRows, column: str, marks: NumberMarks) -> bool:
    cells = rows.column(column)
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
        return True
    first: CellTexts = cell_texts(rows, column, (), "as_written", are_ids=False)
    text: Any = first.values.gather(first.codes[:1]).str.strip_chars(SPACES)
    return read_numbers(text, marks_of(cells, marks)).null_count() == 0
