"""Recognise columns of times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import ValidationError

from rankelastor.data.cells.calendar_parts import CalendarPart
from rankelastor.data.cells.time_formats import parse_times
from rankelastor.data.kinds.calendar import CalendarField
from rankelastor.drafting.profile import ColumnProfile

_NAMES = frozenset({"time", "timestamp", "ts", "date", "datetime", "day", "hour", "epoch", "when", "at", "dt", "month"})
_SIDE_NAMES = frozenset(
    {"birth", "birthday", "born", "signup", "join", "registered", "created", "expire", "end", "last"}
)
"""Words in the names of times that are not those of the event itself."""

_UNITS = {"epoch_seconds": 1, "epoch_milliseconds": 10**3, "epoch_microseconds": 10**6, "epoch_nanoseconds": 10**9}
_FIRST, _LAST = 631_152_000, 4_102_444_800
"""The years 1990 and 2100 in seconds: a number outside them is no time of a click."""
_LIKELY_FIRST, _LIKELY_LAST = 1_000_000_000, 2_000_000_000
"""The years 2001 and 2033 in seconds: numbers between them are times even where the name does not say so."""
_SOME = 20
_EXACT = 2.0**53
_OTHER_DATES = r"^\d{1,4}[/.\-]\d{1,2}[/.\-]\d{1,4}([T ]\d{1,2}:\d{2}.*)?$"
_EIGHT_DIGITS = r"^(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"
_PARTS: tuple[tuple[CalendarPart, Literal["hour", "weekday"]], ...] = (
    ("hour", "hour"),
    ("weekday", "weekday"),
    ("weekend", "weekday"),
)


@dataclass(frozen=True)
class TimeColumn:
    """A column of times.

    ``format`` is what the texts look like, in words of the settings where a calendar field reads it (``is_read``).
    ``parts`` are the calendar parts that differ between rows. ``sorts`` tells whether the cells, as a split by time
    compares them, sort by time, without blanks.
    """

    name: str
    format: str
    is_read: bool
    parts: tuple[CalendarPart, ...]
    sorts: bool
    is_event: bool


def find_time(profile: ColumnProfile) -> TimeColumn | None:
    """Recognise a column of times by its cells, and by its name where numbers could mean anything else.

    Example:
        >>> import pyarrow as pa
        >>> from rankelastor.drafting.profile import profile_table
        >>> (column,) = profile_table(pa.table({"at": ["2024-05-01 10:00", "2024-05-02 09:30"]}))
        >>> find_time(column).format, find_time(column).parts
        ('iso', ('hour', 'weekday'))
    """
    if not len(profile.distinct) or profile.lists is not None:
        return None
    if profile.numbers is None:
        iso = parse_times(profile.distinct, "iso").local
        if not iso.has_nulls():
            return _column(profile, "iso", iso)
        if profile.distinct.str.contains(_OTHER_DATES).all():
            return TimeColumn(profile.name, "a date that is not ISO", False, (), False, False)  # noqa: FBT003
        return None
    return _find_number(profile) if profile.is_integer and not profile.blank_words else None


def split_column(times: Iterable[TimeColumn]) -> TimeColumn | None:
    """Choose the time to split by: the first that is the time of the event, else the first that sorts."""
    sortable = [time for time in times if time.sorts]
    return next((time for time in sortable if time.is_event), None) or next(iter(sortable), None)


def _find_number(profile: ColumnProfile) -> TimeColumn | None:
    assert profile.numbers is not None, "the caller has looked"
    named = bool(profile.words & _NAMES)
    hours = parse_times(profile.distinct, "yymmddhh").local
    if named and not hours.has_nulls():
        return _column(profile, "yymmddhh", hours)
    first, last = float(profile.numbers.min() or 0), float(profile.numbers.max() or 0)  # type: ignore[arg-type]
    for name, unit in _UNITS.items():
        low, high = (_FIRST, _LAST) if named else (_LIKELY_FIRST, _LIKELY_LAST)
        if low * unit <= first and last <= high * unit and (named or len(profile.distinct) >= _SOME):
            return _column(profile, name, pl.from_epoch((profile.numbers / unit).floor().cast(pl.Int64), "s"))
    if named and profile.distinct.str.contains(_EIGHT_DIGITS).all():
        return TimeColumn(profile.name, "yyyymmdd", False, (), _is_whole(profile), _is_event(profile))  # noqa: FBT003
    return None


def _column(profile: ColumnProfile, name: str, moments: pl.Series) -> TimeColumn:
    values = {
        "hour": moments.dt.hour(),
        "weekday": moments.dt.weekday(),
        "weekend": moments.dt.weekday() >= 6,  # noqa: PLR2004 - Saturday
    }
    parts: list[CalendarPart] = [part for part, _ in _PARTS if values[part].n_unique() > 1]
    sorts = _is_whole(profile) and _sorts(profile, moments)
    return TimeColumn(profile.name, name, _is_read(name), tuple(parts), sorts, _is_event(profile))


def _is_event(profile: ColumnProfile) -> bool:
    return not profile.words & _SIDE_NAMES


def _is_whole(profile: ColumnProfile) -> bool:
    return profile.num_blank == 0 and len(profile.distinct) > 1


def _sorts(profile: ColumnProfile, moments: pl.Series) -> bool:
    """Tell whether the keys of a split by time have the order of the moments."""
    if profile.numbers is not None:
        return bool(profile.numbers.abs().max() < _EXACT)  # type: ignore[operator]
    in_order = pl.DataFrame({"text": profile.distinct, "moment": moments}).sort("text")["moment"]
    has_offsets = profile.distinct.str.contains(r"[+-]\d{2}:?\d{2}$").any()
    return bool(in_order.is_sorted()) and not (has_offsets and profile.distinct.str.slice(-6).n_unique() > 1)


def _is_read(name: str) -> bool:
    """Tell whether calendar fields read the format."""
    try:
        CalendarField.model_validate({"kind": "calendar", "column": "time", "format": name})
    except ValidationError:
        return False
    return True
