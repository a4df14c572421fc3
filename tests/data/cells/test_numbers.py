from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.numbers import parse_numbers
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def numbers_of(values: Any, blank: float | None = 0.0) -> list[float]:
    rows = RawRows(pa.RecordBatch.from_pydict({"age": values}), Path("log.csv"), first_row=11)
    numbers: list[float] = parse_numbers(rows, "age", blanks=("NA",), blank=blank).tolist()
    return numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2.5", "1e3", "+4"], [1, -2.5, 1000, 4]),
        (["", "NA", "3"], [-1, -1, 3]),
        ([1, None], [1, -1]),
        ([1.5, None], [1.5, -1]),
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
        (["1", " "], r"row 12 must hold numbers, but ' ' was given"),
        ([" 18441000000000000000"], r"row 11 must hold integers that fit in 64 bits"),
        (["nan"], r"row 11 must hold finite numbers, but 'nan' was given"),
        (["1", "-inf"], r"row 12 must hold finite numbers, but '-inf' was given"),
        ([1.0, float("nan")], r"row 12 must hold finite numbers, but nan was given"),
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
