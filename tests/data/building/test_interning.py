from pathlib import Path

import pyarrow as pa
import pytest

from rankelastor.data.building.interning import interned
from rankelastor.data.interner import Interner
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

TEXTS = ["b", "NA", None, "b", "", "a"]


def texts_of(cells: pa.Array) -> list[str]:
    interner = Interner()
    codes = interned(RawRows(pa.record_batch({"x": cells}), Path("log")), "x", ["NA"], interner)
    return interner.values().gather(codes).to_list()


@pytest.mark.parametrize(
    "cells",
    [pa.array(TEXTS), pa.array(TEXTS, pa.large_string()), pa.array(TEXTS).dictionary_encode()],
    ids=["text", "large text", "encoded"],
)
def test_each_kind_of_column_gives_the_same_texts_and_one_blank(cells: pa.Array) -> None:
    assert texts_of(cells) == ["b", "", "", "b", "", "a"]


def test_numbers_are_taken_as_written() -> None:
    assert texts_of(pa.array([3, None, 3])) == ["3", "", "3"]


def test_lists_are_refused() -> None:
    with pytest.raises(DataError, match=r"log, column 'x' must hold one text or number a row, but its type is list"):
        texts_of(pa.array([["a"]]))
