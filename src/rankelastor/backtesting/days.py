"""Tell the day of each row of a log from one of its columns."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.number_texts import NumberMarks
from rankelastor.data.cells.time_formats import TimeFormat
from rankelastor.data.cells.time_keys import TimeKeys
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

MOST_DAYS = 366
_NANOSECONDS = 24 * 60 * 60 * 10**9


class DayColumn:
    """Reader of a column of days: dates, times (of which the day in UTC counts), or whole numbers, one for each day.

    Args:
        column: its name.
        time_format: how times are written; None: numbers, dates and timestamps of Parquet, and ISO texts.
        marks: the marks of numbers that are written as text.
    """

    def __init__(self, column: str, time_format: TimeFormat | None, marks: NumberMarks) -> None:
        self._column = column
        self._keys = TimeKeys(column, time_format, marks, setting="the day's")

    def numbers(self, rows: RawRows) -> NDArray[np.int64]:
        """Compute a whole number for the day of each row, which rises with time.

        Raises:
            DataError: a cell is blank or no time, or is a number with a fraction.
        """
        keys = self._keys.keys(rows)
        if keys.dtype != np.float64:
            self.are_dates = True
            return np.floor_divide(keys, _NANOSECONDS)
        self.are_dates = False
        whole = np.floor(keys)
        if (wrong := whole != keys).any():
            row = int(wrong.argmax())
            raise DataError(
                f"{rows.file}, column {self._column!r}, row {rows.row_number(row)} must hold a day, but {keys[row]} is "
                "given; days are dates, times or whole numbers: name another column"
            )
        return whole.astype(np.int64)

    are_dates: bool = True
    """Whether the numbers count days since 1970; else they stand in the column."""

    def label(self, number: int) -> str:
        """Write the day of a number.

        Example:
            >>> day = DayColumn("day", None, NumberMarks())
            >>> day.label(20758)
            '2026-11-01'
        """
        if not self.are_dates:
            return str(number)
        return str(pl.Series([number], dtype=pl.Int32).cast(pl.Date).dt.to_string("%Y-%m-%d")[0])

    def refuse_many(self, numbers: set[int]) -> None:
        """Raise if there are too many days for a column of days.

        Raises:
            DataError: there are.
        """
        if len(numbers) > MOST_DAYS:
            raise DataError(
                f"a column of days must hold at most {MOST_DAYS} days, but {self._column!r} holds more"
                + ("" if self.are_dates else "; seconds since 1970 need a format: epoch_seconds")
                + "; name another column, or fewer files"
            )
