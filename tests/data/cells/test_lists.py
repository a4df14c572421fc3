from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.lists import cell_lists, pad_left
from rankelastor.data.cells.spelling import Spelling
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def lists_of(
    cells: pa.Array,
    *,
    separator: str | None = None,
    max_length: int = 9,
    blanks: tuple[str, ...] = (),
    spelling: Spelling = "canonical",
) -> list[list[str]]:
    rows = RawRows(pa.RecordBatch.from_arrays([cells], names=["x"]), Path("log.parquet"))
    lists = cell_lists(rows, "x", separator=separator, max_length=max_length, blanks=blanks, spelling=spelling)
    flat = lists.elements.values.gather(lists.elements.codes).to_list()
    return [flat[start:stop] for start, stop in zip(lists.offsets[:-1], lists.offsets[1:], strict=True)]


def test_text_is_split_and_the_newest_elements_stay() -> None:
    cells = pa.array(["a^b^c", "b", "", None, "a^^b", "NA^a", "NA"])
    expected = [["b", "c"], ["b"], [""], [""], ["", "b"], ["", "a"], [""]]
    assert lists_of(cells, separator="^", max_length=2, blanks=("NA",)) == expected
    assert lists_of(cells.dictionary_encode(), separator="^", max_length=2, blanks=("NA",)) == expected


def test_a_point_separates_and_is_no_pattern() -> None:
    assert lists_of(pa.array(["a.b"]), separator=".") == [["a", "b"]]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.dictionary(pa.int8(), pa.int64()))]
)
def test_parquet_lists_of_any_form_give_their_texts(kind: pa.DataType) -> None:
    cells = pa.array([[1, 2, 3], [], None, [4, None]], pa.list_(pa.int64())).cast(pa.list_(pa.int64()))
    if not pa.types.is_dictionary(kind.value_type):
        cells = cells.cast(kind)
    assert lists_of(cells, max_length=2) == [["2", "3"], [], [], ["4", ""]]
    assert lists_of(cells.slice(1), max_length=2) == [[], [], ["4", ""]]


def test_lists_of_a_fixed_size_are_lists() -> None:
    assert lists_of(pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2)), max_length=1) == [["2"], [], ["4"]]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pa.array([None, None]), [[], []]),
        (pa.array([[], None]), [[], []]),
        (pa.array([[None, None], []]), [["", ""], []]),
        (pa.nulls(2).cast(pa.list_(pa.string())), [[], []]),
        (pa.array([], pa.null()), []),
    ],
    ids=["no type", "empty", "nulls", "texts", "no rows"],
)
def test_lists_without_values_are_empty_or_blank(cells: pa.Array, expected: list[list[str]]) -> None:
    assert lists_of(cells) == expected
    assert lists_of(cells, max_length=1) == [one[-1:] for one in expected]


def test_blank_texts_inside_lists_are_blank() -> None:
    assert lists_of(pa.array([["NA", "a", ""]]), blanks=("NA",)) == [["", "a", ""]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2.0, 3]", ["1", "2", "3"]),
        ('["a ", "b,c", null, true]', ["a ", "b,c", "", "true"]),
        ("['a', 'NA', None]", ["a", "", ""]),
        ("(1, 2)", ["1", "2"]),
        ("[12345678901234567890, nan]", ["12345678901234567890", ""]),
        ("[]", [""]),
        (" ", [""]),
    ],
)
def test_lists_as_json_and_python_write_them_are_read(text: str, expected: list[str]) -> None:
    assert lists_of(pa.array([text]), separator="json", blanks=("NA",)) == [expected]


@pytest.mark.parametrize("text", ["a, b", "[1 2]", "[[1], 2]", '{"a": 1}', "7", "[1, 2"])
def test_what_is_no_list_is_refused_with_its_row(text: str) -> None:
    with pytest.raises(DataError, match=r"column 'x', row 2 must hold a JSON or Python list .*; write lists as in"):
        lists_of(pa.array(["[1]", text]), separator="json")


@pytest.mark.parametrize("text", ["[1, 2, 3]", "['a', 'b']", " [1] ", "[1. 2. 3.]"])
def test_a_list_in_brackets_is_not_cut_at_a_character(text: str) -> None:
    with pytest.raises(DataError, match=r"row 1 must hold elements with ',' between them, .*; try separator: json"):
        lists_of(pa.array([text]), separator=",")


def test_brackets_that_belong_to_an_element_stay() -> None:
    assert lists_of(pa.array(["[draft]|[b", "[new]"]), separator="|") == [["[draft]", "[b"], ["[new]"]]


def test_spaces_around_separated_elements_do_not_matter() -> None:
    assert lists_of(pa.array(["a, b ,c", " b", "1.0 , 1"]), separator=",") == [["a", "b", "c"], ["b"], ["1", "1"]]
    assert lists_of(pa.array(["a, b"]), separator=",", spelling="as_written") == [["a", " b"]]


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([[1.0, -0.0, None, float("nan")]]),
        pa.array([[1.0, 0.0, None, float("nan")]], pa.list_(pa.float32())),
        pa.array([[Decimal("1.00"), Decimal("0.00"), None, None]]),
        pa.array([["1.0", "-0.0", None, ""]]),
        pa.array([[1, 0, None, None]], pa.large_list(pa.uint8())),
    ],
)
def test_elements_of_any_type_are_spelled_alike(cells: pa.Array) -> None:
    assert lists_of(cells) == [["1", "0", "", ""]]


def test_elements_that_their_type_rounds_are_refused_with_their_row() -> None:
    with pytest.raises(DataError, match=r"row 3 must hold whole numbers below 2\^53.* but 9007199254740992 was given"):
        lists_of(pa.array([[1.0, 2.0], [], [3.0, 2.0**53]]))


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=6) | st.none()),
    st.integers(1, 5),
)
def test_any_lists_of_texts_are_their_tails(lists: list[list[str] | None], max_length: int) -> None:
    expected = [(one or [])[-max_length:] for one in lists]
    cells = pa.array(lists, pa.list_(pa.string()))
    written = [["" if not text.strip(" \t") else text for text in one] for one in expected]
    assert lists_of(cells, max_length=max_length, spelling="as_written") == written
    assert lists_of(cells, max_length=max_length, spelling="version_1") == expected


@pytest.mark.parametrize(
    ("cells", "separator", "message"),
    [
        (["a^b"], None, r"log.parquet, column 'x' must hold lists, but its type is string; set separator"),
        ([1], None, r"column 'x' must hold lists, but its type is int64"),
        (
            [["a"]],
            "^",
            r"column 'x' must hold texts with the separator '\^', but its type is list<.*leave separator out",
        ),
        ([[["a"]]], None, r"column 'x' must hold lists of texts or numbers, but its type is list<"),
    ],
)
def test_a_column_of_another_kind_is_named(cells: list[Any], separator: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        lists_of(pa.array(cells), separator=separator)


@given(st.lists(st.lists(st.integers(1, 99), max_size=4)))
def test_padding_on_the_left_equals_a_loop(lists: list[list[int]]) -> None:
    offsets = np.cumsum([0, *map(len, lists)])
    flat = np.array([number for one in lists for number in one], dtype=np.int64)
    expected = [[0] * (4 - len(one)) + one for one in lists]
    assert pad_left(flat, offsets, 4).tolist() == expected
