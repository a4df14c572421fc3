"""Extract calendar parts of timestamps: hour, weekday, weekend.

Times are taken as written: an offset such as ``+02:00`` is not applied. Epoch seconds are UTC.
"""

from __future__ import annotations

import re
from typing import Literal

import polars as pl

from rankelastor.data.cells.texts import BLANK, CellTexts
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

CalendarPart = Literal["hour", "weekday", "weekend"]
TimeFormat = Literal["yymmddhh", "iso", "epoch_seconds"]

_SATURDAY = 6
_ISO = (
    r"^(?<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?<hour>\d{2}):(?<minute>\d{2})(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$"
)
_TOO_MANY_SECONDS = 1e11
"""The year 5138. Larger numbers are milliseconds or finer units, and would silently give wrong hours as seconds."""
_EXAMPLES = {"yymmddhh": "14102123", "iso": "2014-10-21T23:00:00", "epoch_seconds": "1413932400"}
_SECONDS = re.compile(r"\d{9,10}(\.\d*)?")
_FINER_UNITS = re.compile(r"-?\d{12,}")


def calendar_part(
    rows: RawRows, column: str, times: CellTexts, *, part: CalendarPart, time_format: TimeFormat
) -> CellTexts:
    """Extract one part of each timestamp as text (``"23"``); a blank timestamp has blank parts.

    Args:
        rows: the raw rows, for the message.
        column: the timestamp column, for the message.
        times: the texts of the column.
        part: ``hour`` 0..23, ``weekday`` 0 (Monday)..6, ``weekend`` 0 or 1.
        time_format: the format of the texts.

    Raises:
        DataError: a text is not such a timestamp; the message names file, column and row.
    """
    moments = parse_times(times.values, time_format)
    wrong = (moments.is_null() & (times.values != BLANK)).to_numpy()[times.codes]
    if wrong.any():
        index = int(wrong.argmax())
        given = times.values[int(times.codes[index])]
        raise DataError(
            f"{rows.file}, column {column!r}, row {rows.row_number(index)} must hold times as {time_format} "
            f"({_EXAMPLES[time_format]}), but {given!r} was given; {_advise(given)}"
        )
    return CellTexts(_part(moments, part).cast(pl.String).fill_null(BLANK), times.codes)


def _advise(text: str) -> str:
    """Name the format that a text has, or say how to write times."""
    time_format: TimeFormat
    for time_format in ("iso", "yymmddhh"):
        if parse_times(pl.Series([text]), time_format).null_count() == 0:
            return f"try format: {time_format}"
    if _SECONDS.fullmatch(text):
        return "try format: epoch_seconds"
    if _FINER_UNITS.fullmatch(text):
        return "to give milliseconds since 1970, divide them by 1000 for format: epoch_seconds"
    return f"write times as {_EXAMPLES['iso']} for format: iso"


def parse_times(texts: pl.Series, time_format: TimeFormat) -> pl.Series:
    """Parse texts as datetimes; null if a text does not have the format.

    Example:
        >>> parse_times(pl.Series(["14102123", "2014"]), "yymmddhh").to_list()
        [datetime.datetime(2014, 10, 21, 23, 0), None]
    """
    match time_format:
        case "yymmddhh":
            digits = texts.str.extract(r"^(\d{8})$")
            return (digits + "00").str.to_datetime("%y%m%d%H%M", strict=False, time_unit="us")
        case "iso":
            return _parse_iso(texts)
        case "epoch_seconds":
            numbers = texts.cast(pl.Float64, strict=False)
            seconds = numbers.set(numbers.abs() >= _TOO_MANY_SECONDS, None).floor().cast(pl.Int64, strict=False)
            return pl.select(pl.from_epoch(seconds, time_unit="s")).to_series()


def _parse_iso(texts: pl.Series) -> pl.Series:
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    written = parts["date"] + "T" + parts["hour"].fill_null("00") + ":" + parts["minute"].fill_null("00")
    return written.str.to_datetime("%Y-%m-%dT%H:%M", strict=False, time_unit="us")


def _part(moments: pl.Series, part: CalendarPart) -> pl.Series:
    match part:
        case "hour":
            return moments.dt.hour()
        case "weekday":
            return moments.dt.weekday() - 1
        case "weekend":
            return (moments.dt.weekday() >= _SATURDAY).cast(pl.Int8)
