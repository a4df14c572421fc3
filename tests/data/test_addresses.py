"""Raw files and prepared folders at addresses: what is read there is what is read from a disk, of every format."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, orc
from tests.data.conftest import TRAIN, VALID
from tests.local_s3 import SECRETS

from rankelastor.data import remote_shards
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.raw.rows import column_names, read_rows
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.data.settings import DataSettings
from rankelastor.errors import DataError, RemoteError
from rankelastor.remote.remote_path import RemotePath

SettingsFor = Callable[..., DataSettings]
LOG = b"click,site\n1,a\n0,b\n1,a\n"


def written(write: Callable[[pa.Table, io.BytesIO], object]) -> bytes:
    sink = io.BytesIO()
    write(pacsv.read_csv(io.BytesIO(LOG)), sink)
    return sink.getvalue()


def zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("log.csv", LOG)
    return sink.getvalue()


FORMATS: dict[str, Callable[[], bytes]] = {
    "log.csv": lambda: LOG,
    "log.tsv": lambda: LOG.replace(b",", b"\t"),
    "log.csv.gz": lambda: gzip.compress(LOG),
    "log.csv.bz2": lambda: bz2.compress(LOG),
    "log.csv.xz": lambda: lzma.compress(LOG),
    "log.csv.zip": zipped,
    "log.csv.zst": lambda: bytes(pa.compress(LOG, codec="zstd", asbytes=True)),
    "log.csv.lz4": lambda: bytes(pa.compress(LOG, codec="lz4", asbytes=True)),
    "log.parquet": lambda: written(pq.write_table),
    "log.feather": lambda: written(feather.write_feather),
    "log.orc": lambda: written(orc.write_table),
}


SLOWER = {"log.tsv", "log.csv.bz2", "log.csv.xz", "log.csv.lz4"}
"""Formats that are read as others are."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOWER else []) for name in FORMATS]
)
def test_every_format_is_read_from_an_address(name: str, bucket: RemotePath) -> None:
    (bucket / name).write_bytes(FORMATS[name]())
    assert column_names(bucket / name, CsvSettings()) == ("click", "site")
    rows = list(read_rows(bucket / name, CsvSettings()))
    read = pa.Table.from_batches([each.table for each in rows])
    assert [str(value) for value in read["click"].to_pylist()] == ["1", "0", "1"]
    assert read["site"].to_pylist() == ["a", "b", "a"]
    assert rows[-1].bytes_read == (bucket / name).stat().st_size


def test_files_folders_and_globs_at_addresses_are_found(bucket: RemotePath) -> None:
    for name in ("dt=1/part-0.csv", "dt=2/h=7/part-0.csv", "dt=2/_SUCCESS", ".hidden/part-0.csv", "valid.csv"):
        (bucket / "log" / name).write_bytes(LOG)

    def found(pattern: str) -> list[str]:
        files = FileSettings(folder=str(bucket / "log"), all=pattern)
        return [source.name for source in find_source_files(files)]

    assert found("dt=*/**/part-*.csv") == ["dt=1/part-0.csv", "dt=2/h=7/part-0.csv"]
    assert found("dt=*") == ["dt=1/part-0.csv", "dt=2/h=7/part-0.csv"]
    assert found("dt=2") == ["dt=2/h=7/part-0.csv"]
    assert found("valid.csv") == ["valid.csv"]
    assert found(f"{bucket}/log/dt=1") == ["dt=1/part-0.csv"]
    sources = find_source_files(FileSettings(all=f"{bucket}/log/dt=2"))
    assert sources[0].name == f"{bucket}/log/dt=2/h=7/part-0.csv"
    assert sources[0].partitions == (("dt", "2"), ("h", "7"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "none-*.csv",
            r"files.all must match files, but s3://.*/log/none-\*.csv matches none; s3://.*/log has _x, a.csv",
        ),
        ("b.csv", "files.all must name files, but there is nothing at s3://.*/log/b.csv; s3://.*/log has _x, a.csv"),
        ("h/*", "matches only _x, and names that begin with _ or . are skipped"),
        ("table", "must be a folder of data files, but is a Delta Lake table"),
        (
            "ftp://host/a.csv",
            "files.all must be a path, or an address of s3://, gs:// or hdfs://, but ftp://host/a.csv",
        ),
    ],
)
def test_a_pattern_that_names_nothing_at_an_address_is_refused(pattern: str, message: str, bucket: RemotePath) -> None:
    for name in ("a.csv", "_x", "h/_x", "table/_delta_log/0.json", "table/a.parquet"):
        (bucket / "log" / name).write_bytes(LOG)
    with pytest.raises(DataError, match=message):
        find_source_files(FileSettings(folder=str(bucket / "log"), all=pattern))


def test_a_bucket_that_does_not_exist_is_named(s3_environment: str) -> None:
    for pattern in ("a.csv", "dt=*/a.csv"):
        with pytest.raises(RemoteError, match="there is no bucket nowhere-at-all; check its name"):
            find_source_files(FileSettings(all=f"s3://nowhere-at-all/{pattern}"))


def contents(folder: Path | RemotePath) -> dict[str, bytes]:
    if isinstance(folder, RemotePath):
        return {name: (folder / name).read_bytes() for name in folder.sizes_below()}
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def at_addresses(settings: DataSettings, bucket: RemotePath) -> DataSettings:
    """Put the raw files of settings into a bucket; the settings that read them there and prepare into it."""
    folder = Path(settings.files.folder)
    for file in folder.iterdir():
        (bucket / "raw" / file.name).upload(file)
    values = settings.model_dump(mode="json")
    values["prepared"] = str(bucket / "prepared")
    values["files"]["folder"] = str(bucket / "raw")
    return DataSettings.model_validate(values)


def test_what_is_prepared_at_an_address_is_what_is_prepared_on_a_disk(small: DataSettings, bucket: RemotePath) -> None:
    here, there = prepare(small), prepare(at_addresses(small, bucket))
    ours, theirs = contents(here.place), contents(there.place)
    assert ours.pop("schema.json") != theirs.pop("schema.json")  # it holds the times of the raw files
    assert ours == theirs
    assert here.fingerprint == there.fingerprint
    assert there.frame("train").equals(here.frame("train"))
    again = PreparedDataset.open_matching(at_addresses(small, bucket))
    assert again.fingerprint == there.fingerprint
    assert RowEncoder.load(there.place).schema == RowEncoder.load(here.place).schema
    assert there.find_damage() == {}
    written_bytes = b"".join(contents(there.place).values())
    assert not any(secret.encode() in written_bytes for secret in SECRETS.values())
    with pytest.raises(DataError, match=r"must have a prepared folder on a disk, but s3://.*/prepared is an address"):
        _ = there.folder
    older = PreparedDataset(there.place, there.manifest.model_copy(update={"checksums": None}))
    with pytest.raises(DataError, match="must have checksums, as prepared folders at addresses do"):
        older.split("train")


@pytest.mark.slow
def test_an_address_that_was_prepared_is_left_alone_until_its_data_change(
    small: DataSettings, bucket: RemotePath
) -> None:
    settings = at_addresses(small, bucket)
    prepare(settings)
    mark = bucket / "prepared" / "schema.json"
    before = mark.read_bytes()
    prepare(settings)
    assert mark.read_bytes() == before
    (bucket / "raw/train.csv").write_bytes(TRAIN.encode() + b"1,z,9,u9\n")
    assert prepare(settings).manifest.splits["train"].num_rows == 5


@pytest.mark.parametrize("setting", ["prepared", "files"])
def test_an_address_with_secrets_is_refused_without_repeating_them(setting: str, settings_for: SettingsFor) -> None:
    address = "s3://AKIAX:hush/hush@bucket/a.csv"
    changes: dict[str, Any] = (
        {"prepared": address} if setting == "prepared" else {"files": {"train": address, "valid": "v"}}
    )
    with pytest.raises(ValueError, match="must be an address without user, password and query") as raised:
        settings_for(changes)
    own_words = str(raised.value).partition("[type=")[0]
    assert "hush" not in own_words
    assert "s3://bucket/a.csv was given with some" in own_words


def test_a_folder_of_other_files_at_an_address_is_not_replaced(small: DataSettings, bucket: RemotePath) -> None:
    settings = at_addresses(small, bucket)
    (bucket / "prepared/mine.txt").write_bytes(b"mine")
    with pytest.raises(
        DataError, match=r"data.prepared must be a new folder or one that was prepared before, but s3://"
    ):
        prepare(settings)
    assert contents(bucket / "prepared") == {"mine.txt": b"mine"}


@pytest.mark.slow
def test_a_folder_without_its_manifest_is_unfinished(small: DataSettings, bucket: RemotePath) -> None:
    settings = at_addresses(small, bucket)
    prepare(settings)
    (bucket / "prepared/schema.json").unlink()
    with pytest.raises(DataError, match=r"s3://.*/prepared must be a prepared folder, but it has no schema.json; run"):
        PreparedDataset.open(settings.prepared)
    assert prepare(settings).manifest.splits["valid"].num_rows == 2


@pytest.mark.parametrize("all_fit", [pytest.param(True, marks=pytest.mark.slow), False])
def test_damage_at_an_address_is_found(
    all_fit: bool, small: DataSettings, bucket: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_shards, "_memory_share", lambda: 1 << 30 if all_fit else 1)
    dataset = prepare(at_addresses(small, bucket))
    shard = bucket / "prepared/train/part-00000.arrow"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(DataError, match=r"part-00000.arrow must be whole, but it has"):
        PreparedDataset.open(dataset.place)
    shard.write_bytes(bytes(len(data)))
    with pytest.raises(DataError, match=r"part-00000.arrow must be whole, but"):
        list(PreparedDataset.open(dataset.place).split("train").shards)
    shard.unlink()
    with pytest.raises(DataError, match=r"part-00000.arrow must be whole, but there is no such file"):
        PreparedDataset.open(dataset.place)


def test_partitions_at_an_address_are_columns(bucket: RemotePath, settings_for: SettingsFor) -> None:
    for day, text in (("1", TRAIN), ("2", VALID)):
        (bucket / f"log/dt={day}/part-0.csv").write_bytes(text.encode())
    settings = settings_for(
        {
            "files": {"train": f"{bucket}/log/dt=*/part-*.csv", "valid": f"{bucket}/log/dt=2"},
            "fields": [{"kind": "categorical", "column": ["site", "dt"]}],
        }
    )
    with pytest.raises(DataError, match="a file must be named once"):
        prepare(settings)
    files = {"train": f"{bucket}/log/dt=[1]/part-*.csv", "valid": f"{bucket}/log/dt=2"}
    dataset = prepare(settings.model_copy(update={"files": FileSettings.model_validate(files)}))
    assert dataset.schema.names == ("site", "dt")
    assert dataset.frame("valid")["dt"].to_list() == [2, 2]
