from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankelastor.data.raw.parquet_types import require_same_kinds
from rankelastor.errors import DataError


def write(folder: Path, name: str, cells: pa.Array) -> Path:
    pq.write_table(pa.table({"x": cells}), folder / name)
    return folder / name


@pytest.mark.parametrize("second", [pa.array([1], pa.int8()), pa.array([None], pa.null())], ids=["narrow", "null"])
def test_widths_may_change_and_nulls_go_with_all(tmp_path: Path, second: pa.Array) -> None:
    wide, narrow = write(tmp_path, "a.parquet", pa.array([1])), write(tmp_path, "b.parquet", second)
    require_same_kinds([wide, narrow], ["x"])
    require_same_kinds([narrow, wide], ["x"])


@pytest.mark.parametrize("second", [pa.array([3.0]), pa.array([Decimal("3.00")]), pa.array([3], pa.float16())], ids=str)
def test_a_number_is_one_value_in_every_type_of_numbers(tmp_path: Path, second: pa.Array) -> None:
    files = [write(tmp_path, "a.parquet", pa.array([3])), write(tmp_path, "b.parquet", second)]
    require_same_kinds(files, ["x"])


def test_truth_values_are_numbers_only_where_numbers_alone_are_read(tmp_path: Path) -> None:
    files = [write(tmp_path, "a.parquet", pa.array([1])), write(tmp_path, "b.parquet", pa.array([True]))]
    require_same_kinds(files, ["x"], numbers=["x"])
    with pytest.raises(DataError, match=r"b.parquet, column 'x' must have a type like int64, .* is bool"):
        require_same_kinds(files, ["x"])


@pytest.mark.parametrize("kind", [pa.timestamp, pa.duration])
def test_units_of_times_may_change(tmp_path: Path, kind: Any) -> None:
    files = [write(tmp_path, f"{unit}.parquet", pa.array([1], kind(unit))) for unit in ("ms", "us", "ns")]
    require_same_kinds(files, ["x"])


def test_a_column_without_values_hides_no_difference(tmp_path: Path) -> None:
    empty = write(tmp_path, "a.parquet", pa.array([None], pa.null()))
    files = [empty, write(tmp_path, "b.parquet", pa.array(["a"])), write(tmp_path, "c.parquet", pa.array([1]))]
    with pytest.raises(DataError, match=r"c.parquet, column 'x' must have a type like string"):
        require_same_kinds(files, ["x"])


def test_a_csv_file_between_has_no_types(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("x\n1\n")
    files = [tmp_path / "c.csv", write(tmp_path, "a.parquet", pa.array(["a"]))]
    require_same_kinds(files, ["x"])


@pytest.mark.parametrize("first", [pa.array(["a"]), pa.array([[1]]), pa.array([True])], ids=["text", "list", "bool"])
def test_another_kind_in_the_second_file_is_named(tmp_path: Path, first: pa.Array) -> None:
    files = [write(tmp_path, "a.parquet", first), write(tmp_path, "b.parquet", pa.array([2]))]
    with pytest.raises(DataError, match=r"b.parquet, column 'x' must have a type like .*, as in .*a.parquet, but"):
        require_same_kinds(files, ["x"])
    require_same_kinds(files, ["y"])


@pytest.mark.parametrize(
    "empty", [pa.array([[], None]), pa.array([[None]]), pa.array([None], pa.null())], ids=["empty", "nulls", "no type"]
)
@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.int64())], ids=str)
def test_lists_without_elements_go_with_all_lists(tmp_path: Path, empty: pa.Array, kind: pa.DataType) -> None:
    files = [write(tmp_path, "a.parquet", empty), write(tmp_path, "b.parquet", pa.array([], kind))]
    require_same_kinds(files, ["x"])
    require_same_kinds(files[::-1], ["x"])


def test_lists_without_elements_hide_no_difference(tmp_path: Path) -> None:
    texts = write(tmp_path, "a.parquet", pa.array([["a"]]))
    empty = write(tmp_path, "b.parquet", pa.array([[]]))
    with pytest.raises(DataError, match=r"c.parquet, column 'x' must have a type like list<.*string"):
        require_same_kinds([texts, empty, write(tmp_path, "c.parquet", pa.array([[1]]))], ["x"])
    with pytest.raises(DataError, match=r"b.parquet, column 'x' must have a type like string, .* list<.*null"):
        require_same_kinds([write(tmp_path, "d.parquet", pa.array(["a"])), empty], ["x"])
    number = write(tmp_path, "e.parquet", pa.array([1]))
    with pytest.raises(DataError, match=r"e.parquet, column 'x' must have a type like list<.*null"):
        require_same_kinds([empty, number], ["x"])
    with pytest.raises(DataError, match=r"c.parquet, column 'x' must have a type like list<.*string"):
        require_same_kinds([empty, texts, write(tmp_path, "c.parquet", pa.array([[1]]))], ["x"])
