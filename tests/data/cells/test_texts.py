import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rankelastor.data.cells.texts import cell_texts
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def rows_of(values: Any) -> RawRows:
    return RawRows(pa.RecordBatch.from_pydict({"x": values}), Path("log.parquet"), first_row=1)


def texts_of(values: Any, blanks: tuple[str, ...] = ()) -> list[str]:
    texts = cell_texts(rows_of(values), "x", blanks)
    return texts.values.gather(texts.codes).to_list()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "", None, "a"], ["a", "", "", "a"]),
        (pa.array(["a", None, "b"]).dictionary_encode(), ["a", "", "b"]),
        (pa.array(["a", None], pa.large_string()), ["a", ""]),
        (pa.array(["a", None], pa.string_view()), ["a", ""]),
        ([7, None, -1], ["7", "", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        ([True, False], ["true", "false"]),
        ([1.5], ["1.5"]),
        ([dt.date(2014, 10, 21)], ["2014-10-21"]),
        (pa.array([3, None, 3]).dictionary_encode(), ["3", "", "3"]),
        ([None, None], ["", ""]),
    ],
)
def test_any_flat_column_has_texts_and_nulls_are_blank(values: Any, expected: list[str]) -> None:
    assert texts_of(values) == expected


def test_declared_texts_mean_blank() -> None:
    assert texts_of(["NA", "a", "-", ""], blanks=("NA", "-")) == ["", "a", "", ""]


@pytest.mark.parametrize("values", [[[1, 2]], [{"a": 1}], [b"bytes"]])
def test_lists_structures_and_bytes_are_refused(values: Any) -> None:
    with pytest.raises(
        DataError, match=r"log.parquet, column 'x' must hold one text or number per row, but its type is"
    ):
        texts_of(values)
