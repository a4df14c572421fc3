import datetime as dt
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.calendar_parts import CalendarPart, calendar_part, typed_calendar_part
from rankelastor.data.cells.texts import cell_texts
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def parts_of(values: Any, time_format: str) -> list[tuple[str, ...]]:
    rows = RawRows(pa.RecordBatch.from_pydict({"time": values}), Path("log.csv"), first_row=1)
    columns = []
    for part in get_args(CalendarPart):
        texts = typed_calendar_part(rows, "time", part)
        if texts is None:
            times = cell_texts(rows, "time", ())
            texts = calendar_part(rows, "time", times, part=part, time_format=time_format)
        columns.append(texts.values.gather(texts.codes).to_list())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("values", "time_format", "expected"),
    [
        (["14102123"], "yymmddhh", ("23", "1", "0")),  # a Tuesday
        (["14102600"], "yymmddhh", ("0", "6", "1")),  # a Sunday
        ([14102505], "yymmddhh", ("5", "5", "1")),  # a Saturday, an integer column
        (["2014-10-21T23:00:00"], "iso", ("23", "1", "0")),
        (["2014-10-21 23:59"], "iso", ("23", "1", "0")),
        (["2014-10-21"], "iso", ("0", "1", "0")),
        (["2014-10-21T23:00:00.5+02:00"], "iso", ("23", "1", "0")),  # as written, the offset is not applied
        ([dt.datetime(2014, 10, 21, 23, 5, tzinfo=None)], "iso", ("23", "1", "0")),  # noqa: DTZ001
        (["1413932400"], "epoch_seconds", ("23", "1", "0")),
        (["-1"], "epoch_seconds", ("23", "2", "0")),  # 1969-12-31, a Wednesday
        ([""], "iso", ("", "", "")),
        ([None, dt.date(2014, 10, 21)][1:], "yymmddhh", ("0", "1", "0")),  # a typed date needs no format
        (pa.array([dt.date(2014, 10, 21)]).dictionary_encode(), "iso", ("0", "1", "0")),
        (pa.array([None], pa.timestamp("ns")), "iso", ("", "", "")),
        (["1413932400000"], "epoch_milliseconds", ("23", "1", "0")),
        (["1413932400000000"], "epoch_microseconds", ("23", "1", "0")),
        (["1413932400000000000"], "epoch_nanoseconds", ("23", "1", "0")),
        ([" 21.10.2014 23:05 "], "%d.%m.%Y %H:%M", ("23", "1", "0")),
        (["Oct 21 2014 11:05 PM"], "%b %d %Y %I:%M %p", ("23", "1", "0")),
        (["2014-10-21T23:00:00.25+02:00"], "%Y-%m-%dT%H:%M:%S.%f%z", ("23", "1", "0")),
    ],
)
def test_parts_of_known_moments(values: Any, time_format: str, expected: tuple[str, ...]) -> None:
    assert parts_of(values, time_format) == [expected]


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 12, 31)))  # noqa: DTZ001
def test_all_formats_agree_with_the_standard_library(moment: dt.datetime) -> None:
    utc = moment.replace(tzinfo=dt.UTC)
    expected = (str(moment.hour), str(moment.weekday()), str(int(moment.weekday() >= 5)))
    assert parts_of([moment.isoformat()], "iso") == [expected]
    assert parts_of([moment.strftime("%y%m%d%H")], "yymmddhh") == [expected]
    assert parts_of([str(int(utc.timestamp()))], "epoch_seconds") == [expected]


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        ("1410212", "yymmddhh"),
        ("14133123", "yymmddhh"),
        ("14102124", "yymmddhh"),
        ("2014-02-30", "iso"),
        ("21.10.2014", "iso"),
        ("2014-10-21T24:00:00", "iso"),
        ("now", "epoch_seconds"),
        ("1e300", "epoch_seconds"),
        ("1413932400000", "epoch_seconds"),
        ("-1413932400000000000", "epoch_seconds"),
    ],
)
def test_what_is_no_time_is_named_with_its_row(value: str, time_format: str) -> None:
    good = {"yymmddhh": "14102123", "iso": "2014-10-21", "epoch_seconds": "0"}[time_format]
    with pytest.raises(DataError, match=rf"log.csv, column 'time', row 2 must hold times as {time_format} .*{value}"):
        parts_of([good, value], time_format)


@pytest.mark.parametrize(
    ("value", "declared", "advice"),
    [
        ("2014-10-21T23:00:00", "yymmddhh", "try format: iso"),
        ("14102123", "iso", "try format: yymmddhh"),
        ("1413932400", "iso", "try format: epoch_seconds"),
        ("2014-10-21", "epoch_seconds", "try format: iso"),
        ("21.10.2014", "iso", "write times as 2014-10-21T23:00:00 for format: iso, or"),
        ("0000-01-01", "yymmddhh", "write times as 2014-10-21T23:00:00 for format: iso, or"),
        ("1410212", "yymmddhh", "write times as 2014-10-21T23:00:00 for format: iso, or"),
    ],
)
def test_a_time_of_another_format_suggests_that_format(value: str, declared: str, advice: str) -> None:
    with pytest.raises(DataError, match=rf"but '{value}' was given; {advice}"):
        parts_of([value], declared)


def test_milliseconds_are_told_from_seconds() -> None:
    with pytest.raises(DataError, match=r"but '1413932400000' was given; try format: epoch_milliseconds"):
        parts_of([1413932400000], "epoch_seconds")
    assert parts_of(["99999999999"], "epoch_seconds") == [("9", "2", "0")]  # in the year 5138


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_typed_times_are_taken_in_the_zone_of_their_column(unit: Any) -> None:
    moment = dt.datetime(2014, 10, 21, 23, 30, tzinfo=dt.UTC)
    assert parts_of(pa.array([moment], pa.timestamp(unit, "UTC")), "iso") == [("23", "1", "0")]
    assert parts_of(pa.array([moment], pa.timestamp(unit, "Europe/Berlin")), "iso") == [("1", "2", "0")]
    assert moment.astimezone(ZoneInfo("Europe/Berlin")).hour == 1


def test_seconds_are_told_from_milliseconds() -> None:
    with pytest.raises(DataError, match=r"but '1413932400' was given; try format: epoch_seconds"):
        parts_of(["1413932400"], "epoch_milliseconds")
