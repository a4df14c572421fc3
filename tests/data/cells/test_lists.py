from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.lists import cell_lists, pad_left
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def lists_of(
    cells: pa.Array, *, separator: str | None = None, max_length: int = 9, blanks: tuple[str, ...] = ()
) -> list[list[str]]:
    rows = RawRows(pa.RecordBatch.from_arrays([cells], names=["x"]), Path("log.parquet"))
    lists = cell_lists(rows, "x", separator=separator, max_length=max_length, blanks=blanks)
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


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=6) | st.none()),
    st.integers(1, 5),
)
def test_any_lists_of_texts_are_their_tails(lists: list[list[str] | None], max_length: int) -> None:
    expected = [(one or [])[-max_length:] for one in lists]
    assert lists_of(pa.array(lists, pa.list_(pa.string())), max_length=max_length) == expected


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
