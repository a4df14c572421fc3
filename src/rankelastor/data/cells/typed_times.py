"""Read Parquet dates, timestamps, times of day and durations as numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TimeUnit = Literal["milliseconds", "seconds", "minutes", "hours", "days"]
"""A unit in which durations and times are counted."""

NANOSECONDS: dict[str, int] = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "milliseconds": 10**6,
    "seconds": 10**9,
    "minutes": 60 * 10**9,
    "hours": 3600 * 10**9,
    "days": 86400 * 10**9,
}
"""The length of each unit, of the settings and of Arrow."""


def is_time_point(kind: pa.DataType) -> bool:
    """Tell whether cells of this type are dates or timestamps."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def is_time(kind: pa.DataType) -> bool:
    """Tell whether cells of this type are dates, timestamps, times of day or durations."""
    return is_time_point(kind) or bool(pa.types.is_time(kind) or pa.types.is_duration(kind))


def count_units(cells: pa.Array, unit: TimeUnit) -> pl.Series:
    """Count how many units a duration lasts, or lie between 1970 in UTC (of a time of day: midnight) and a time.

    Example:
        >>> count_units(pa.array([90_000], pa.duration("ms")), "minutes").to_list()
        [1.5]
    """
    counts, own = _counts(cells)
    wanted = NANOSECONDS[unit]
    numbers = pl.Series(counts).cast(pl.Float64)
    return numbers * (own // wanted) if own >= wanted else numbers / (wanted // own)


def nanoseconds_of(cells: pa.Array) -> pl.Series:
    """Compute the nanoseconds since 1970 in UTC of dates and timestamps as int64; null beyond the years 1678 to 2261.

    Example:
        >>> import datetime
        >>> nanoseconds_of(pa.array([datetime.date(1970, 1, 2)])).to_list()
        [86400000000000]
    """
    counts, own = _counts(cells)
    numbers = pl.Series(counts).cast(pl.Int64)
    fits = (numbers.abs() <= (2**63 - 1) // own).fill_null(value=False)
    return numbers.zip_with(fits, pl.Series([None], dtype=pl.Int64)) * own


def local_times(cells: pa.Array) -> pl.Series:
    """Return dates and timestamps as datetimes in microseconds, in the time zone of the column."""
    if pa.types.is_timestamp(cells.type) and cells.type.tz is not None:
        cells = pc.local_timestamp(cells)
    counts, own = _counts(cells)
    numbers: NDArray[np.int64] = counts.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    micros = numbers * (own // 1000) if own >= NANOSECONDS["us"] else numbers // (NANOSECONDS["us"] // own)
    known = pl.Series(counts.is_valid())
    times = pl.Series(micros).cast(pl.Datetime("us"))
    return times.zip_with(known, pl.Series([None], dtype=pl.Datetime("us")))


def _counts(cells: pa.Array) -> tuple[pa.Array, int]:
    """Return the stored integers, and the nanoseconds that each counts."""
    kind = cells.type
    if pa.types.is_date32(kind):
        return cells.view(pa.int32()), NANOSECONDS["days"]
    if pa.types.is_date64(kind):
        return cells.view(pa.int64()), NANOSECONDS["ms"]
    return cells.view(pa.int32() if pa.types.is_time32(kind) else pa.int64()), NANOSECONDS[kind.unit]
