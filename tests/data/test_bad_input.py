"""Tests of ``prepare`` with bad input: the message names the place, and no partial output remains."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankelastor.data.building import file_stage
from rankelastor.data.prepare import prepare
from rankelastor.data.raw.rows import RawRows, read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, StorageError

HEADER = "click,site,age\n"
VALID = HEADER + "1,a,1\n0,b,2\n"
WriteFiles = Callable[[dict[str, str | bytes]], Path]
SettingsFor = Callable[..., DataSettings]

BAD_TRAIN: list[tuple[str | bytes, str]] = [
    (HEADER + "1,a,1\n0,b\n", r"train.csv, row 2 must have 3 cells, one per column, but has 2"),
    (HEADER + "1,a,1\n0,b,2,3\n", r"train.csv, row 2 must have 3 cells, one per column, but has 4"),
    (HEADER + "1,a,1\n0,b,old\n", r"train.csv, column 'age', row 2 must hold numbers, but 'old' was given"),
    (HEADER + "1,a,1\n0,b,NaN\n", r"train.csv, column 'age', row 2 must hold finite numbers, but 'NaN' was given"),
    (HEADER + "1,a,inf\n0,b,1\n", r"train.csv, column 'age', row 1 must hold finite numbers, but 'inf' was given"),
    (
        HEADER + "1,a,99999999999999999999\n",
        r"'age', row 1 must hold integers that fit in 64 bits, .*kind: categorical",
    ),
    (HEADER + "1,a,1\n2,b,2\n", r"train.csv, column 'click', row 2: the label must be 0 or 1, but '2' was given"),
    (HEADER + "1,a,1\n,b,2\n", r"train.csv, column 'click', row 2: the label must be 0 or 1, but a blank was given"),
    (HEADER + "1,a,1\n1,b,2\n", r"the split train must hold labels 0 and 1, but all its 2 labels are 1"),
    (HEADER + "0,a,1\n", r"the split train must hold labels 0 and 1, but all its 1 labels are 0"),
    (HEADER, r"the split train must hold rows, but files.train train.csv have none"),
    ("", r"train.csv must hold rows, but it is empty"),
    ("1,a,1\n0,b,2\n", r"train.csv must name each column once, but '1' occurs twice; .*set csv.header to false"),
    ("1,a,3\n0,b,2\n", r"train.csv must have the column 'click', but has only '1', 'a', '3'; .*csv.header"),
    ("click,site\n1,a\n0,b\n", r"train.csv must have the column 'age', but has only 'click', 'site'"),
    ("click,site,age,site\n1,a,1,a\n", r"train.csv must name each column once, but 'site' occurs twice"),
    (
        HEADER + '1,a,1\n0,"b,2\n',
        r"train.csv, column 'age', row 2: a quoted cell must end with|row 2 must have 3 cells",
    ),
    (HEADER + '1,a,1\n0,b,"2\n', r"train.csv, column 'age', row 2"),
    (HEADER.encode() + b"1,a,1\n0,\xe9,2\n", r"train.csv, column 'site', row 2 must be UTF-8 text"),
    (
        HEADER.encode() + b"1,a,1\n0,b\0,2\n",
        r"train.csv, column 'site', row 2 must be UTF-8 text, but holds a NUL byte",
    ),
]


def left_behind(settings: DataSettings) -> list[str]:
    return sorted(item.name for item in Path(settings.prepared).parent.iterdir())


@pytest.mark.parametrize(("train", "message"), BAD_TRAIN)
def test_a_wrong_file_is_named_and_nothing_stays(
    write_files: WriteFiles, settings_for: SettingsFor, train: str | bytes, message: str
) -> None:
    write_files({"train.csv": train, "valid.csv": VALID})
    with pytest.raises(DataError, match=message):
        prepare(settings_for())
    assert left_behind(settings_for()) == ["raw"]


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"label": "clicked"}, r"must have the column 'clicked', .* did you mean 'click'\?; check data.label"),
    ({"csv": {"header": False, "columns": ["click", "site", "age"]}}, r"train.csv must have no header .*csv.header to"),
    (
        {"csv": {"header": False, "columns": ["x", "click", "site", "age"]}},
        r"train.csv, row 1 must have 4 cells|header",
    ),
    ({"csv": {"delimiter": ";"}}, r"train.csv must have the column 'click', but has only 'click,site,age'"),
    ({"fields": [{"kind": "calendar", "column": "age", "format": "iso"}]}, r"'age', row 1 must hold times as iso"),
    ({"fields": [{"kind": "numeric", "column": "site"}]}, r"column 'site', row 1 must hold numbers, but 'a' was given"),
    (
        {"files": {"folder": ".", "train": "no.csv", "valid": "no.csv"}},
        r"files.train must name files, but .*no.csv does not exist",
    ),
    ({"files": {"folder": ".", "all": "no-*.csv"}, "split": {"kind": "random"}}, r"no-\*.csv matches none"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_SETTINGS)
def test_settings_that_do_not_go_with_the_files_are_explained(
    write_files: WriteFiles, settings_for: SettingsFor, changes: dict[str, Any], message: str
) -> None:
    write_files({"train.csv": VALID, "valid.csv": VALID})
    with pytest.raises(DataError, match=message):
        prepare(settings_for(changes))
    assert left_behind(settings_for()) == ["raw"]


def test_too_few_rows_for_the_shares_are_refused(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    folder = write_files({"all.csv": VALID})
    files = {"folder": str(folder), "all": "all.csv"}
    with pytest.raises(DataError, match=r"the split valid must hold rows, but 0.1 of 2 rows is none"):
        prepare(settings_for({"files": files, "split": {"kind": "random"}}))
    assert left_behind(settings_for()) == ["raw"]


def test_a_truncated_gzip_is_named(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    packed = gzip.compress((HEADER + "1,a,1\n0,b,2\n" * 1000).encode())
    folder = write_files({"train.csv.gz": packed[: len(packed) // 2], "valid.csv": VALID})
    files = {"folder": str(folder), "train": "train.csv.gz", "valid": "valid.csv"}
    with pytest.raises(DataError, match=r"train.csv.gz must be a readable file, .* damaged or cut off"):
        prepare(settings_for({"files": files}))
    assert left_behind(settings_for()) == ["raw"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"click": [1, 0], "site": ["a", "b"]}, r"valid.parquet must have the column 'age'"),
        (
            {"click": [1, 0], "site": [["a"], ["b"]], "age": [1, 2]},
            r"valid.parquet, column 'site' must have a type like string, as in .*train.parquet, but its type is list<",
        ),
        (
            {"click": [1, 0], "site": ["a", "b"], "age": ["1", "x"]},
            r"valid.parquet, column 'age' must have a type like int64, as in .*train.parquet, but its type is string",
        ),
        (
            {"click": [1, 0], "site": [1, 2], "age": [1, 2]},
            r"valid.parquet, column 'site' must have a type like string, .* but its type is int64",
        ),
    ],
)
def test_a_second_parquet_file_of_another_shape_is_named(
    write_files: WriteFiles, settings_for: SettingsFor, second: dict[str, list[Any]], message: str
) -> None:
    folder = write_files({})
    pq.write_table(pa.table({"click": [1, 0], "site": ["a", "b"], "age": [1, 2]}), folder / "train.parquet")
    pq.write_table(pa.table(second), folder / "valid.parquet")
    files = {"folder": str(folder), "train": "train.parquet", "valid": "valid.parquet"}
    with pytest.raises(DataError, match=message):
        prepare(settings_for({"files": files}))
    assert left_behind(settings_for()) == ["raw"]


def test_a_list_where_one_value_was_declared_is_refused(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    folder = write_files({"valid.csv": VALID})
    pq.write_table(pa.table({"click": [1, 0], "site": [["a"], ["b"]], "age": [1, 2]}), folder / "train.parquet")
    files = {"folder": str(folder), "train": "train.parquet", "valid": "valid.csv"}
    with pytest.raises(
        DataError, match=r"train.parquet, column 'site' must hold one text or number per row, but .* list<"
    ):
        prepare(settings_for({"files": files}))
    assert left_behind(settings_for()) == ["raw"]


def test_parquet_files_may_differ_in_width_and_in_encoding(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    folder = write_files({"valid.csv": VALID})
    first = {"click": pa.array([1, 0], pa.int8()), "site": pa.array(["a", "b"]), "age": pa.array([1, 2])}
    second = {
        "click": pa.array([1.0, 0.0]),
        "site": pa.array(["b", None], pa.large_string()).dictionary_encode(),
        "age": pa.array([1.5, None], pa.float32()),
    }
    pq.write_table(pa.table(first), folder / "a.parquet")
    pq.write_table(pa.table(second), folder / "b.parquet")
    files = {"folder": str(folder), "train": "*.parquet", "valid": "valid.csv"}
    dataset = prepare(settings_for({"files": files}))
    assert dataset.frame("train")["age"].to_list() == [1.0, 2.0, 1.5, 0.0]
    assert dataset.frame("train")["site"].to_list() == [3, 1, 1, 2]


@pytest.mark.parametrize(
    ("raised", "expected"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), StorageError)]
)
def test_an_interruption_or_a_full_disk_leaves_the_old_folder_as_it_was(
    small: DataSettings, monkeypatch: pytest.MonkeyPatch, raised: BaseException, expected: type[BaseException]
) -> None:
    before = prepare(small).fingerprint
    real_read = read_rows

    def interrupted(*arguments: Any, **options: Any) -> Iterator[RawRows]:
        yield from real_read(*arguments, **options)
        raise raised

    monkeypatch.setattr(file_stage, "read_rows", interrupted)
    with pytest.raises(expected):
        prepare(small, force=True)
    monkeypatch.undo()
    assert left_behind(small) == ["prepared", "raw"]
    assert prepare(small).fingerprint == before


def test_a_file_that_changes_while_it_is_read_is_noticed(small: DataSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    real_read = read_rows

    def growing(file: Path, *arguments: Any, **options: Any) -> Iterator[RawRows]:
        yield from real_read(file, *arguments, **options)
        file.write_text(file.read_text() + "1,a,1,u1\n")

    monkeypatch.setattr(file_stage, "read_rows", growing)
    with pytest.raises(DataError, match=r"the raw files must not change while they are read"):
        prepare(small)
    assert left_behind(small) == ["raw"]
