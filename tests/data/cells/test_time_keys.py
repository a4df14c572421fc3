import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.time_keys import TimeKeys
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError, SettingsError


def order_of(*pieces: Any, time_format: str | None = None) -> list[int]:
    times, keys, first_row = TimeKeys("t", time_format), [], 1
    for piece in pieces:
        keys.append(times.keys(RawRows(pa.RecordBatch.from_pydict({"t": piece}), Path("log.csv"), first_row)))
        first_row += len(piece)
    order: list[int] = np.argsort(np.concatenate(keys), kind="stable").tolist()
    return order


def test_numbers_are_ordered_as_numbers_even_when_written_as_text() -> None:
    assert order_of(["10", " 9"], ["-1"]) == [2, 1, 0]


def test_iso_texts_are_ordered_across_pieces() -> None:
    assert order_of(["2014-10-22", "2014-10-21"], ["2014-01-01", "2014-10-22 00:00:00.5"]) == [2, 1, 0, 3]


def test_numbers_of_a_typed_column_are_ordered() -> None:
    assert order_of([3, 1, 2]) == [1, 2, 0]


def test_offsets_put_times_on_one_line() -> None:
    assert order_of(["2024-01-01T10:00+02:00", "2024-01-01T09:00Z", "2024-01-01 04:00-0500"]) == [0, 1, 2]
    assert order_of(["2024-01-01T10:00+02:00", "2024-01-01T07:59:59.999Z"]) == [1, 0]


@pytest.mark.parametrize("pieces", [(["2024-01-01T10:00Z", "2024-01-01"],), (["2024-01-01T10:00Z"], ["2024-01-01"])])
def test_times_with_and_without_offset_have_no_order(pieces: tuple[list[str], ...]) -> None:
    with pytest.raises(
        DataError, match=r"row 2 must have an offset from UTC, as the times before it, but '2024-01-01'"
    ):
        order_of(*pieces)
    with pytest.raises(DataError, match=r"row 2 must have no offset from UTC"):
        order_of(["2024-01-01", "2024-01-01T10:00Z"])


@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=1, max_size=20))  # noqa: DTZ001
def test_every_way_to_store_times_gives_one_order(moments: list[dt.datetime]) -> None:
    expected = np.argsort(np.array(moments, dtype="datetime64[us]"), kind="stable").tolist()
    assert order_of([moment.isoformat(" ") for moment in moments]) == expected
    assert (
        order_of([moment.strftime("%d.%m.%Y %H:%M:%S.%f") for moment in moments], time_format="%d.%m.%Y %H:%M:%S.%f")
        == expected
    )
    assert order_of(pa.array(moments, pa.timestamp("us"))) == expected
    assert order_of(pa.array(moments, pa.timestamp("ns", "Asia/Tokyo"))) == expected
    micros = [(moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1) for moment in moments]  # noqa: DTZ001
    assert order_of([str(micro) for micro in micros]) == expected
    far = [micro for micro in micros if abs(micro) >= 10**14]
    assert (
        order_of([str(micro) for micro in far], time_format="epoch_microseconds")
        == np.argsort(far, kind="stable").tolist()
        if far
        else True
    )


@pytest.mark.parametrize(
    ("time_format", "texts"),
    [
        ("%d/%m/%Y", ["02/01/2024", "01/02/2024", "31/12/2023"]),
        ("%Y-%m-%d %I:%M %p", ["2024-01-01 11:00 AM", "2024-01-01 01:00 PM", "2024-01-01 12:30 AM"]),
        ("epoch_seconds", ["1700000000.123456788", "1700000000.123456789", "1700000000"]),
        ("epoch_milliseconds", ["1700000000000.5", "1700000000001", "1700000000000"]),
        ("epoch_nanoseconds", ["1700000000000000001", "1700000000000000002", "1700000000000000000"]),
        ("yymmddhh", ["14102100", "15010100", "14102023"]),
        ("iso", ["2024-02", "2024-03", "2024-01-31T23:59"]),
    ],
)
def test_a_format_orders_texts(time_format: str, texts: list[str]) -> None:
    assert order_of(texts, time_format=time_format) == [2, 0, 1]


@pytest.mark.parametrize(
    "text", ["01/02/2024", "2024-01-01 01:00 PM", "2024-1-1", "20240101T10", "2024-13-01", "Monday"]
)
def test_text_that_is_no_iso_date_is_refused(text: str) -> None:
    with pytest.raises(
        DataError, match=r"row 2 must hold times as iso \(2014-10-21T23:00:00\), but .*data.split.format"
    ):
        order_of(["2024-01-01", text])


@pytest.mark.parametrize("pieces", [(["1", "yesterday"],), (["1"], ["yesterday"])])
def test_a_text_among_numbers_is_refused_wherever_pieces_end(pieces: tuple[list[str], ...]) -> None:
    with pytest.raises(
        DataError, match=r"column 't', row 2 must hold a number, as the first row does, but 'yesterday'"
    ):
        order_of(*pieces)


@pytest.mark.parametrize("cells", [["2014-10-22", ""], ["2014-10-22", " "], pa.array([1, None], pa.timestamp("s"))])
def test_a_blank_time_is_refused(cells: Any) -> None:
    with pytest.raises(DataError, match=r"column 't', row 2: the time to split by must not be blank"):
        order_of(cells)


@pytest.mark.parametrize("as_given", [int, str])
def test_integers_that_float64_would_round_are_refused(as_given: Callable[[int], Any]) -> None:
    """Check integers from 2^53 on: as float64, 2^53 and 2^53 + 1 are the same number."""
    assert order_of([as_given(2**53 - 1), as_given(2**53 - 2)]) == [1, 0]
    message = r"column 't', row 3 must hold times below 2\^53, .* but '?1413932400000000001'? was given; .* nanoseconds"
    with pytest.raises(DataError, match=r"row 2 must hold times below 2\^53"):
        order_of([as_given(5), as_given(2**53 + 1)])
    with pytest.raises(DataError, match=message):
        order_of([as_given(5), as_given(6)], [as_given(1413932400000000001)])
    assert order_of(
        [as_given(1413932400000000002), as_given(1413932400000000001)], time_format="epoch_nanoseconds"
    ) == [1, 0]


def test_decimals_beyond_a_float_are_refused_without_a_format() -> None:
    assert order_of(["1700000000.12346", "1700000000.12345", "1.500000000000000000"]) == [2, 1, 0]
    with pytest.raises(
        DataError, match=r"row 2 must hold times of at most 15 digits, .*data.split.format: epoch_seconds"
    ):
        order_of(["1700000000.0", "1700000000.000000001"])


def test_large_floats_are_as_exact_as_their_column() -> None:
    assert order_of([2.0**60, 2.0**54]) == [1, 0]


def test_times_beyond_nanoseconds_are_refused() -> None:
    with pytest.raises(DataError, match=r"row 1 must lie between the years 1678 and 2261, but '9999-12-31' was given"):
        order_of(["9999-12-31"])
    with pytest.raises(DataError, match=r"row 1 must lie between the years 1678 and 2261, but 9999-12-31 was given"):
        order_of(pa.array([dt.date(9999, 12, 31)]))


def start_of(cells: Any, moment: str | float) -> float:
    times = TimeKeys("t")
    times.keys(RawRows(pa.RecordBatch.from_pydict({"t": cells}), Path("log.csv")))
    return times.start_of(moment, "data.split.valid_from")


def test_a_moment_of_the_settings_is_a_date_or_a_number() -> None:
    assert start_of(["2024-01-01"], "1970-01-02") == 86400 * 10**9
    assert start_of(["2024-01-01T00:00Z"], "1970-01-01T02:00+02:00") == 0
    assert start_of(["7"], 5) == 5.0
    with pytest.raises(SettingsError, match=r"data.split.valid_from must be a number, as the times .* '2024-01-01'"):
        start_of(["7"], "2024-01-01")
    with pytest.raises(SettingsError, match=r"data.split.valid_from must be a date or time such as .* but 7 was given"):
        start_of(["2024-01-01"], 7)
