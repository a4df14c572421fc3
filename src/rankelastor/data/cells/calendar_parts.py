"""Extract calendar parts of times: hour, weekday, weekend.

Times are taken as written: an offset such as ``+02:00`` is not applied. Epochs are in UTC.
"""

from __future__ import annotations

from typing import Literal

import polars as pl
import pyarrow as pa

from rankelastor.data.cells.texts import BLANK, CellTexts, encode_distinct
from rankelastor.data.cells.time_formats import EXAMPLES, example_of, parse_times
from rankelastor.data.cells.typed_times import is_time_point, local_times
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

CalendarPart = Literal["hour", "weekday", "weekend"]

_SATURDAY = 6
_FIRST_LIKELY_YEAR = 1990


def calendar_part(rows: RawRows, column: str, times: CellTexts, *, part: CalendarPart, time_format: str) -> CellTexts:
    """Extract one part of each timestamp as text (``"23"``); a blank timestamp has blank parts.

    Args:
        rows: the raw rows, for the message.
        column: the timestamp column, for the message.
        times: the texts of the column.
        part: ``hour`` 0..23, ``weekday`` 0 (Monday)..6, ``weekend`` 0 or 1.
        time_format: the format of the texts, see ``parse_times``.

    Raises:
        DataError: a text is not such a timestamp; the message names file, column and row.
    """
    moments = parse_times(times.values, time_format).local
    wrong = (moments.is_null() & (times.values != BLANK)).to_numpy()[times.codes]
    if wrong.any():
        index = int(wrong.argmax())
        given = times.values[int(times.codes[index])]
        raise DataError(
            f"{rows.file}, column {column!r}, row {rows.row_number(index)} must hold times as {time_format} "
            f"({example_of(time_format)}), but {given!r} was given; {_advise(given)}"
        )
    return CellTexts(_part(moments, part).cast(pl.String).fill_null(BLANK), times.codes)


def _advise(text: str) -> str:
    """Name the format that a text has, or say how to write times."""
    for name in EXAMPLES:
        year = parse_times(pl.Series([text]), name).local.dt.year()[0]
        if year is not None and year >= _FIRST_LIKELY_YEAR:
            return f"try format: {name}"
    return f"write times as {EXAMPLES['iso']} for format: iso, or give a pattern such as format: '%d/%m/%Y %H:%M'"


def typed_calendar_part(rows: RawRows, column: str, part: CalendarPart) -> CellTexts | None:
    """Extract one part of each date or timestamp of Parquet, in the time zone of the column; None for other types."""
    cells = rows.column(column)
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if not is_time_point(kind):
        return None
    encoded = encode_distinct(rows, column, cells)
    parts = _part(local_times(encoded.dictionary), part).cast(pl.String).fill_null(BLANK)
    codes = encoded.indices.cast(pa.int64()).fill_null(len(parts))
    texts = pl.concat([parts.alias(column), pl.Series(column, [BLANK], dtype=pl.String)])
    return CellTexts(texts, codes.to_numpy(zero_copy_only=False))


def _part(moments: pl.Series, part: CalendarPart) -> pl.Series:
    match part:
        case "hour":
            return moments.dt.hour()
        case "weekday":
            return moments.dt.weekday() - 1
        case "weekend":
            return (moments.dt.weekday() >= _SATURDAY).cast(pl.Int8)
