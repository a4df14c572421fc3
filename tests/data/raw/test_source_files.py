from pathlib import Path

import pytest

from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.raw.source_files import find_source_files
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
        ({"all": "deep"}, r"files.all must name files, but .*deep is a folder; try .*deep/\*"),
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
