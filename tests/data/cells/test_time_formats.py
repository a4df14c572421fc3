from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from rankelastor.data.cells.time_formats import EXAMPLES, TimeFormat, example_of, parse_times

FORMAT = TypeAdapter[Any](TimeFormat)


@pytest.mark.parametrize(
    "time_format", [*EXAMPLES, "%d/%m/%Y", "%Y-%m", "%j %Y", "%FT%T", "%d. %B %Y, %I:%M %p", "%y%m%d"]
)
def test_the_example_of_a_format_is_read_by_it(time_format: str) -> None:
    assert FORMAT.validate_python(time_format) == time_format
    parsed = parse_times(pl.Series([example_of(time_format)]), time_format)
    assert parsed.instants.null_count() == 0
    assert parsed.local.dt.year().to_list() == [2014]


@pytest.mark.parametrize(
    ("time_format", "message"),
    [
        ("isoo", "or a pattern such as .* but 'isoo' was given; did you mean iso"),
        ("%Q", "must use the directives .*, but %Q was given"),
        ("%H:%M", "must give year and month, but '%H:%M' does not; try %Y-%m-%d"),
        ("%z %Y-%m-%d", "must have %z at its end"),
        ("%Y-%m-%d %S%f", "must have %f behind a point"),
    ],
)
def test_a_format_that_no_time_has_is_refused(time_format: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FORMAT.validate_python(time_format)


def test_offsets_are_kept_beside_the_time_as_written() -> None:
    texts = pl.Series(["2024-01-01T10:00+02:00", "2024-01-01T10:00-0530", "2024-01-01 10:00Z", "2024-01-01 10:00"])
    parsed = parse_times(texts, "iso")
    assert parsed.local.dt.hour().to_list() == [10, 10, 10, 10]
    assert parsed.offset.to_list() == [120, -330, 0, None]


@pytest.mark.parametrize("text", ["2024-01-01T10:00:00.123456789", "1704103200.123456789"])
def test_nanoseconds_are_exact(text: str) -> None:
    time_format = "iso" if "T" in text else "epoch_seconds"
    assert parse_times(pl.Series([text]), time_format).instants.to_list() == [1704103200123456789]
    assert parse_times(pl.Series([text + "1"]), time_format).instants.to_list() == [None]  # finer than a nanosecond
    assert parse_times(pl.Series([text + "0"]), time_format).instants.to_list() == [1704103200123456789]


def test_times_before_1970_are_exact() -> None:
    assert parse_times(pl.Series(["-0.000000001", "-1"]), "epoch_seconds").instants.to_list() == [-1, -(10**9)]
    assert parse_times(pl.Series(["1969-12-31T23:59:59.999999999"]), "iso").instants.to_list() == [-1]


def test_finer_fractions_than_a_pattern_reads_are_refused() -> None:
    texts = pl.Series(["2024-01-01 00:00:00.123456", "2024-01-01 00:00:00.1234567"])
    assert parse_times(texts, "%Y-%m-%d %H:%M:%S.%f").instants.is_null().to_list() == [False, True]
