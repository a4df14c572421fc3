"""Folders called NAME=VALUE are columns."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.prepare import prepare
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.partitions import partitions_of
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_and_value_survive_their_escapes(name: str, value: str) -> None:
    folder = f"{quote(name, safe='', errors='surrogatepass')}={quote(value, safe='', errors='surrogatepass')}"
    found = partitions_of(f"log/{folder}/part-0.csv")
    is_unicode = not any(0xD800 <= ord(mark) < 0xE000 for mark in name + value)
    assert not is_unicode or found == ((name, value),)


def test_a_blank_has_a_name_of_its_own_and_other_folders_are_no_columns() -> None:
    assert partitions_of("log/dt=__HIVE_DEFAULT_PARTITION__/a=/x/=y/f=1.csv") == (("dt", None), ("a", None))
    assert partitions_of("a=1/a=2/f") == (("a", "2"),)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "feather"])
def test_partitions_come_last_and_the_file_comes_first(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"part.{suffix}"
    frame = pl.DataFrame({"click": [1, 0], "site": ["a", "b"]})
    if suffix.startswith("csv"):
        text = frame.write_csv().encode()
        file.write_bytes(gzip.compress(text) if suffix == "csv.gz" else text)
    else:
        (frame.write_parquet if suffix == "parquet" else frame.write_ipc)(file)
    partitions = (("dt", "2024-01-01"), ("site", "other"), ("hour", None))
    (rows,) = read_rows(file, CsvSettings(), partitions=partitions)
    assert rows.names == ("click", "site", "dt", "hour")
    assert rows.column("dt").to_pylist() == ["2024-01-01"] * 2
    assert rows.column("site").to_pylist() == ["a", "b"]
    assert rows.column("hour").to_pylist() == [None, None]
    (some,) = read_rows(file, CsvSettings(), ["dt", "click"], partitions=partitions)
    assert some.names == ("click", "dt")
    (alone,) = read_rows(file, CsvSettings(), ["dt"], partitions=partitions)
    assert (alone.num_rows, alone.column("dt").to_pylist()) == (2, ["2024-01-01"] * 2)


Settings = Callable[..., DataSettings]


def write_log(folder: Path, *, typed: bool) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        for hour in ("07", "12"):
            part = folder / f"dt={day}" / f"hour={hour}"
            part.mkdir(parents=True)
            frame = pl.DataFrame({"click": [1, 0, int(hour == "07")], "site": ["a", "b", "c"]})
            frame.write_parquet(part / "part-0.parquet") if typed else frame.write_csv(part / "part-0.csv")
            (part / "_SUCCESS").touch()


@pytest.mark.parametrize("typed", [False, True])
def test_a_partitioned_log_is_prepared_with_its_folders_as_fields(
    tmp_path: Path, settings_for: Settings, *, typed: bool
) -> None:
    write_log(tmp_path / "raw", typed=typed)
    fields: list[dict[str, Any]] = [
        {"kind": "categorical", "column": ["site", "hour"]},
        {"kind": "numeric", "column": "hour", "name": "hour_number"},
        {"kind": "calendar", "column": "dt", "format": "iso", "parts": ["weekday"]},
    ]
    files = {"folder": str(tmp_path / "raw"), "train": "dt=2024-01-01", "valid": "dt=2024-01-02/**"}
    dataset = prepare(settings_for({"files": files, "fields": fields}))
    frame = dataset.frame("train")
    assert frame["hour_number"].to_list() == [7.0] * 3 + [12.0] * 3
    assert frame["hour"].n_unique() == 2
    vocabulary = pl.read_parquet(dataset.folder / "vocabulary" / "hour.parquet")
    assert vocabulary["value"].to_list() == ["07", "12"]
    assert {source.name for source in dataset.manifest.sources} >= {
        f"dt=2024-01-01/hour=07/part-0.{'parquet' if typed else 'csv'}"
    }


def test_a_partition_may_be_the_label_the_group_and_the_time(tmp_path: Path, settings_for: Settings) -> None:
    for index, click in enumerate([0, 1] * 20):
        part = tmp_path / "raw" / f"day=2024-01-{index + 1 if index < 31 else 31:02d}" / f"click={click}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{index}.csv").write_text(f"site\n{'ab'[click]}\n")
    settings = settings_for(
        {
            "files": {"folder": str(tmp_path / "raw"), "all": "."},
            "split": {"kind": "time", "column": "day", "valid": 0.3, "test": 0.2},
            "fields": [{"kind": "categorical", "column": "site"}, {"kind": "group", "column": "day"}],
        }
    )
    dataset = prepare(settings)
    assert sum(dataset.split(name).num_rows for name in dataset.splits) == 40
    assert dataset.frame("train")["click"].to_list() == [0.0, 1.0] * 10


def test_all_empty_parts_are_refused_and_some_are_skipped(tmp_path: Path, settings_for: Settings) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for index in range(3):
        (raw / f"part{index}.csv").write_text("click,site\n1,a\n0,b\n1,a\n0,b\n" if index == 1 else "")
    files = {"folder": str(raw), "all": "part*.csv"}
    split = {"kind": "file_order", "valid": 0.5, "test": 0}
    settings = settings_for({"files": files, "split": split, "fields": [{"kind": "categorical", "column": "site"}]})
    assert prepare(settings).split("train").num_rows == 2
    (raw / "part1.csv").write_text("")
    with pytest.raises(DataError, match=r"part0.csv must hold rows, but it is empty"):
        prepare(settings)
