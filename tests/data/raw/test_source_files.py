import gzip
from pathlib import Path

import pytest

from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.raw.rows import is_empty
from rankelastor.data.raw.source_files import find_source_files, without_empty
from rankelastor.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "valid.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.csv").write_text("x")
    return tmp_path


def files(folder: Path, **patterns: str | list[str]) -> FileSettings:
    return FileSettings.model_validate({"folder": str(folder), **patterns})


def test_a_glob_reads_its_matches_by_name_and_lists_keep_their_order(folder: Path) -> None:
    found = find_source_files(files(folder, train=["deep/c.csv", "[ab].csv"], valid="valid.csv"))
    assert [(source.split, source.name) for source in found] == [
        ("train", "deep/c.csv"),
        ("train", "a.csv"),
        ("train", "b.csv"),
        ("valid", "valid.csv"),
    ]


def test_a_recursive_glob_enters_folders(folder: Path) -> None:
    assert len(find_source_files(files(folder, all="**/*.csv"))) == 4


def test_an_absolute_path_stands_for_itself(folder: Path) -> None:
    (found,) = find_source_files(files(Path("elsewhere"), all=str(folder / "a.csv")))
    assert found.path == folder / "a.csv"


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path: Path) -> None:
    odd = tmp_path / "[x]"
    odd.mkdir()
    (odd / "a.csv").write_text("x")
    assert len(find_source_files(files(odd, all="*.csv"))) == 1


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (
            {"train": "absent.csv", "valid": "valid.csv"},
            r"files.train must name files, but .*absent.csv does not exist; .* holds a.csv, b.csv",
        ),
        ({"all": "*.parquet"}, r"files.all must match files, but .*\*.parquet matches none"),
        (
            {"train": "*.csv", "valid": "valid.csv"},
            r"a file must be named once, but .*valid.csv is read for files.train and",
        ),
    ],
)
def test_a_file_that_is_not_there_or_twice_there_is_refused(
    folder: Path, patterns: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        find_source_files(files(folder, **patterns))


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the folder .*nowhere does not exist either: check files.folder"):
        find_source_files(files(tmp_path / "nowhere", all="a.csv"))


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def names_of(folder: Path, pattern: str) -> list[str]:
    return [source.name for source in find_source_files(files(folder, all=pattern))]


SPARK = ("log.parquet/part-0.snappy.parquet", "log.parquet/_SUCCESS", "log.parquet/.part-0.snappy.parquet.crc")


@pytest.mark.parametrize(
    "pattern", ["log.parquet", "log.parquet/", "log.parquet/*", "*.parquet", "log.parquet/**", "log*"]
)
def test_a_folder_as_spark_writes_it_is_its_data_files(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, *SPARK, "log.parquet/_temporary/0/part-9.parquet", "log.parquet/.hidden/part-8.parquet")
    assert names_of(tmp_path, pattern) == ["log.parquet/part-0.snappy.parquet"]


def test_a_folder_is_read_with_all_below_it_in_order_of_paths(tmp_path: Path) -> None:
    touch(tmp_path, "log/dt=2/b", "log/dt=2/a", "log/dt=1/z", "log/dt=1/_SUCCESS")
    assert names_of(tmp_path, "log") == ["log/dt=1/z", "log/dt=2/a", "log/dt=2/b"]
    assert names_of(tmp_path, "log/dt=*") == names_of(tmp_path, "log")
    assert names_of(tmp_path, "log/dt=[2]/") == ["log/dt=2/a", "log/dt=2/b"]


def test_a_glob_takes_partitions_beside_files_but_no_other_folders(tmp_path: Path) -> None:
    touch(tmp_path, "log/a.csv", "log/old/b.csv", "log/dt=1/c.csv")
    assert names_of(tmp_path, "log/*") == ["log/a.csv", "log/dt=1/c.csv"]


def test_names_that_are_skipped_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "_a.csv", "b.csv", "_dir/c.csv")
    assert names_of(tmp_path, "_a.csv") == ["_a.csv"]
    assert names_of(tmp_path, "_*.csv") == ["_a.csv"]
    assert names_of(tmp_path, "_dir") == ["_dir/c.csv"]
    assert names_of(tmp_path, "_dir/*.csv") == ["_dir/c.csv"]
    (tmp_path / "b.csv").unlink()
    with pytest.raises(DataError, match=r"matches only _a.csv, and names that begin with _ or . are skipped; name the"):
        find_source_files(files(tmp_path, all="*.csv"))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ((), r"files.all must name a folder with data files, but .*log holds nothing"),
        (("_SUCCESS",), r"but .*log holds only _SUCCESS, and names that begin with _ or . are skipped"),
        (
            ("_delta_log/0.json", "a.parquet"),
            r"log must be a folder of data files, but is a Delta Lake table; its files",
        ),
        (("metadata/v1.metadata.json", "data/a.parquet"), "but is an Iceberg table"),
        ((".hoodie/x", "a.parquet"), "but is a Hudi table"),
    ],
)
def test_a_folder_without_plain_data_files_is_refused(tmp_path: Path, held: tuple[str, ...], message: str) -> None:
    (tmp_path / "log").mkdir()
    touch(tmp_path / "log", *held)
    with pytest.raises(DataError, match=message):
        find_source_files(files(tmp_path, all="log"))


def test_links_that_lead_back_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "log/a.csv")
    (tmp_path / "log" / "again").symlink_to(tmp_path / "log", target_is_directory=True)
    assert names_of(tmp_path, "log") == ["log/a.csv"]


@pytest.mark.parametrize("address", ["abfss://bucket/x.parquet", "sftp://b/*.csv", "https://host/a.csv"])
def test_an_address_that_is_not_opened_is_refused_as_it_was_written(tmp_path: Path, address: str) -> None:
    with pytest.raises(DataError) as raised:
        find_source_files(files(tmp_path, all=address))
    must = "files.all must be a path, or an address of s3://, gs:// or hdfs://, but"
    assert f"{must} {address} was given; try copying it there" in str(raised.value)


def test_a_missing_path_is_named_in_full_with_where_it_counts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as raised:
        find_source_files(FileSettings.model_validate({"all": "log.csv"}))
    assert f"but {tmp_path}/log.csv does not" in str(raised.value)
    assert f"Paths count from the current folder, {tmp_path}; files.folder sets another" in str(raised.value)


@pytest.mark.parametrize("empty", [b"", b"\n\n", gzip.compress(b"", mtime=0), b"\xef\xbb\xbf"])
def test_empty_parts_are_skipped_with_a_note(tmp_path: Path, empty: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_bytes(empty)
    (tmp_path / "b.csv").write_text("click\n1\n")
    sources = find_source_files(files(tmp_path, all="*.csv"))
    assert [source.name for source in without_empty(sources, CsvSettings())] == ["b.csv"]
    assert f"1 file holds no rows and is skipped: {tmp_path / 'a.csv'}" in caplog.text
    assert without_empty(sources[:1], CsvSettings()) == sources[:1]


def test_a_file_with_a_header_alone_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("click\n")
    assert not is_empty(tmp_path / "a.csv", CsvSettings())


def test_a_split_of_empty_files_alone_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").write_text("click\n1\n")
    sources = find_source_files(files(tmp_path, train="a.csv", valid="b.csv"))
    assert without_empty(sources, CsvSettings()) == sources
