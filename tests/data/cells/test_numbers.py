import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.number_texts import NumberMarks
from rankelastor.data.cells.numbers import NumberRules, parse_numbers, parse_numbers_or_blanks
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

PLAIN_RULES = NumberRules()


def numbers_of(
    values: Any, blank: float | None = 0.0, *, blanks: tuple[str, ...] = ("NA",), rules: NumberRules = PLAIN_RULES
) -> list[float]:
    rows = RawRows(pa.RecordBatch.from_pydict({"age": values}), Path("log.csv"), first_row=11)
    numbers: list[float] = parse_numbers(rows, "age", blanks=blanks, blank=blank, rules=rules).tolist()
    return numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2.5", "1e3", "+4"], [1, -2.5, 1000, 4]),
        (["", "NA", "3"], [-1, -1, 3]),
        ([1, None], [1, -1]),
        ([1.5, None, float("nan")], [1.5, -1, -1]),
        (pa.array([1.5, None, float("nan")], pa.float32()), [1.5, -1, -1]),
        (pa.array([1.5, None, float("nan")], pa.float16()), [1.5, -1, -1]),
        (pa.array([Decimal("1.50"), None]), [1.5, -1]),
        (pa.array([1.5, float("nan"), 1.5]).dictionary_encode(), [1.5, -1, 1.5]),
        (["1", " ", " NA ", "\t"], [1, -1, -1, -1]),
        ([True, False], [1, 0]),
        (pa.array(["1", "2", "1"]).dictionary_encode(), [1, 2, 1]),
        (["9223372036854775807"], [2.0**63]),
        ([1e20], [1e20]),
    ],
)
def test_numbers_are_read_and_blanks_stand_for_the_declared_number(values: Any, expected: list[float]) -> None:
    assert numbers_of(values, blank=-1.0) == expected


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1))
def test_any_float_survives_the_round_trip_through_text(values: list[float]) -> None:
    assert numbers_of([repr(value) for value in values]) == values


@pytest.mark.parametrize("text", [" 1.5", "1.5 ", "\t1.5"])
def test_spaces_around_a_number_do_not_matter(text: str) -> None:
    assert numbers_of([text]) == [1.5]


def test_minus_zero_becomes_zero_so_that_equal_numbers_are_equal_bytes() -> None:
    assert not np.signbit(numbers_of(["-0.0"])[0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "x"], r"log.csv, column 'age', row 12 must hold numbers, but 'x' was given; try kind: categorical"),
        (["1", " x "], r"row 12 must hold numbers, but ' x ' was given"),
        ([" 18441000000000000000"], r"row 11 must hold integers that fit in 64 bits"),
        (["nan"], r"row 11 must hold finite numbers, but 'nan' was given"),
        (["1", "-inf"], r"row 12 must hold finite numbers, but '-inf' was given"),
        ([1.0, float("inf")], r"row 12 must hold finite numbers, but inf was given; try infinite: clip"),
        (["1,5"], r"row 11 must hold numbers, but '1,5' was given; set csv.decimal"),
        ([dt.timedelta(1)], r"column 'age' must hold numbers, but its type is duration\[us\]; set unit"),
        ([dt.date(2024, 1, 1)], r"column 'age' must hold numbers, but its type is date32\[day\]; set unit"),
        (["18441000000000000000"], r"row 11 must hold integers that fit in 64 bits, .* an id; try kind: categorical"),
        (pa.array([2**64 - 1], pa.uint64()), r"row 11 must hold integers that fit in 64 bits"),
        (["-9223372036854775809"], r"row 11 must hold integers that fit in 64 bits"),
        (["1e39"], r"row 11 must hold numbers of magnitude 3.4e38 at most, but '1e39' was given"),
        ([[1.0]], r"column 'age' must hold one text or number per row, but its type is list"),
    ],
)
def test_what_is_no_number_is_named_with_its_row(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        numbers_of(values)


def test_blanks_are_refused_where_no_number_stands_for_them() -> None:
    with pytest.raises(
        DataError, match=r"row 12 must not be blank \(blank: null\), but a blank was given; try blank: 0"
    ):
        numbers_of(["1", ""], blank=None)


@pytest.mark.parametrize(
    "values", [["-1", "-1.00", "2"], [-1.0, -1.0, 2.0], [-1, -1, 2], [Decimal(-1), Decimal("-1.0"), 2]]
)
def test_a_number_that_means_blank_does_so_however_it_is_stored(values: Any) -> None:
    assert numbers_of(values, 0.0, blanks=("-1",)) == [0, 0, 2]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_and_times_count_in_the_unit_that_is_given_whatever_the_unit_of_the_file(unit: Any) -> None:
    minutes = NumberRules(unit="minutes")
    assert numbers_of(pa.array([dt.timedelta(seconds=90), None], pa.duration(unit)), -1.0, rules=minutes) == [1.5, -1]
    times = pa.array([dt.datetime(1970, 1, 2)], pa.timestamp(unit))  # noqa: DTZ001
    assert numbers_of(times, rules=NumberRules(unit="hours")) == [24.0]
    zoned = pa.array([dt.datetime(1970, 1, 2, tzinfo=dt.UTC)], pa.timestamp(unit, "Europe/Berlin"))
    assert numbers_of(zoned, rules=NumberRules(unit="hours")) == [24.0]


@pytest.mark.parametrize(
    "cells", [["1970-01-03"], pa.array([dt.date(1970, 1, 3)]), pa.array([dt.date(1970, 1, 3)], pa.date64())]
)
def test_dates_count_the_same_as_text_and_typed(cells: Any) -> None:
    assert numbers_of(cells, rules=NumberRules(unit="days")) == [2.0]


def test_times_of_day_count_from_midnight() -> None:
    cells = pa.array([dt.time(1, 30)], pa.time32("s"))
    assert numbers_of(cells, rules=NumberRules(unit="hours")) == [1.5]


@pytest.mark.parametrize("values", [["1", "inf", "-Infinity"], [1.0, float("inf"), float("-inf")]])
def test_infinite_numbers_stay_where_the_feature_clips_them(values: Any) -> None:
    assert numbers_of(values, rules=NumberRules(infinite="clip")) == [1.0, float("inf"), float("-inf")]


def test_marks_of_a_country_are_read() -> None:
    german = NumberRules(NumberMarks(",", "."))
    assert numbers_of(["1.234,5", "-0,25", " 12 ", "1.000.000"], rules=german) == [1234.5, -0.25, 12, 1e6]
    assert numbers_of([1234.5], rules=german) == [1234.5]
    with pytest.raises(DataError, match=r"row 11 must hold numbers, but '1.5' was given; check csv.decimal"):
        numbers_of(["1.5"], rules=german)


def test_a_typed_nan_is_a_blank_of_a_quantile() -> None:
    rows = RawRows(pa.RecordBatch.from_pydict({"age": [1.0, float("nan"), None]}), Path("log.parquet"))
    assert np.isnan(parse_numbers_or_blanks(rows, "age", blanks=())).tolist() == [False, True, True]
