"""Tests of fetching a published data set: terms are asked once, results are complete, work is not repeated."""

import json
import os
from pathlib import Path

import pytest
from tests.data.published.conftest import CONTENTS, Served, pack

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.data.published.fetch import Fetched, fetch
from rankelastor.errors import DataError


def accept(_: PublishedDataset) -> bool:
    return True


def never_asked(_: PublishedDataset) -> bool:
    pytest.fail("the terms were accepted before")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def fetched(dataset: PublishedDataset, zips: Path, tmp_path: Path) -> Fetched:
    return fetch(dataset, tmp_path / "data" / "Tiny_x1", place=str(zips), accept=accept)


def test_files_terms_and_checksums_are_there_and_nothing_else(fetched: Fetched, zips: Path) -> None:
    assert {name: (fetched.folder / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert names(fetched.folder) == {*CONTENTS, "dataset.json"}
    assert names(fetched.folder.parent) == {"Tiny_x1"}
    record = json.loads((fetched.folder / "dataset.json").read_text())
    assert record["source"] == str(zips / "Tiny_x1.zip")
    assert record["terms"]["page"] == "https://example.org/terms"
    assert [file["published"] for file in record["files"]] == [True, True, False]
    assert (zips / "Tiny_x1.zip").exists()


def test_a_complete_folder_needs_neither_archive_nor_terms(
    fetched: Fetched, dataset: PublishedDataset, zips: Path
) -> None:
    (zips / "Tiny_x1.zip").unlink()
    assert not fetched.was_there
    again = fetch(dataset, fetched.folder, place=str(zips), accept=never_asked)
    assert again.was_there
    assert again.record == fetched.record


def test_files_that_a_person_brought_are_taken_if_their_checksums_are_right(
    dataset: PublishedDataset, tmp_path: Path
) -> None:
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    assert fetch(dataset, tmp_path, place="nowhere", accept=never_asked).was_there


def test_a_damaged_file_is_replaced_without_asking_again(
    fetched: Fetched, dataset: PublishedDataset, zips: Path
) -> None:
    (fetched.folder / "test.csv").write_bytes(CONTENTS["test.csv"].replace(b"1", b"0"))
    os.utime(fetched.folder / "test.csv", ns=(0, 0))
    again = fetch(dataset, fetched.folder, place=str(zips), accept=never_asked)
    assert not again.was_there
    assert (fetched.folder / "test.csv").read_bytes() == CONTENTS["test.csv"]


def test_terms_that_are_not_accepted_end_it(dataset: PublishedDataset, zips: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="terms of Tiny_x1 must be accepted"):
        fetch(dataset, tmp_path / "data", place=str(zips), accept=lambda _: False)
    assert names(tmp_path) == {"zips"}


@pytest.mark.parametrize("content", ["notes.txt", "train.csv"])
def test_a_folder_with_other_things_is_left_alone(
    content: str, dataset: PublishedDataset, zips: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / content).write_text("mine")
    with pytest.raises(
        DataError, match=rf"the folder must be new, empty, or hold .*, but .* holds {content}; move these away"
    ):
        fetch(dataset, folder, place=str(zips), accept=accept)
    assert (folder / content).read_text() == "mine"


@pytest.mark.parametrize("content", [b"no zip", None], ids=["broken", "wrong checksum"])
def test_a_bad_archive_leaves_no_folder_and_the_persons_zip(
    content: bytes | None, dataset: PublishedDataset, zips: Path, tmp_path: Path
) -> None:
    if content is None:
        pack(zips / "Tiny_x1.zip", CONTENTS | {"train.csv": b"label,user\n"})
    else:
        (zips / "Tiny_x1.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"must be a complete zip file|must have the published md5 sum"):
        fetch(dataset, tmp_path / "data" / "Tiny_x1", place=str(zips), accept=accept)
    assert names(tmp_path / "data") == {".Tiny_x1.download"}
    assert (zips / "Tiny_x1.zip").exists()


def test_a_missing_zip_names_the_place(dataset: PublishedDataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a folder that holds Tiny_x1.zip, but .*nowhere.Tiny_x1.zip does not exist"):
        fetch(dataset, tmp_path / "data", place=str(tmp_path / "nowhere"), accept=accept)


def test_an_interrupted_download_goes_on_without_asking_again(
    dataset: PublishedDataset, mirror: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "Tiny_x1"
    mirror.cut_after = 70_000
    with pytest.raises(KeyboardInterrupt):
        fetch(dataset, folder, place=mirror.url, accept=accept, progress=StoppedByCtrlC(stage=2))
    assert not folder.exists()
    asked_before = len(mirror.asked)
    mirror.cut_after = None
    again = fetch(dataset, folder, place=mirror.url, accept=never_asked)
    assert {name: (folder / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert again.record.terms is not None
    assert mirror.asked[asked_before] == "bytes=70000-"
    assert names(folder.parent) == {"Tiny_x1"}


def test_a_download_with_a_wrong_checksum_is_fetched_anew(
    dataset: PublishedDataset, mirror: Served, tmp_path: Path
) -> None:
    good = mirror.content
    mirror.content = pack(tmp_path / "other.zip", CONTENTS | {"test.csv": b"label,user\n"}).read_bytes()
    with pytest.raises(DataError, match=r"test.csv of Tiny_x1 must have the published md5 sum"):
        fetch(dataset, tmp_path / "data", place=mirror.url, accept=accept)
    mirror.content = good
    assert not fetch(dataset, tmp_path / "data", place=mirror.url, accept=never_asked).was_there


class StoppedByCtrlC:
    """A listener that raises KeyboardInterrupt at the n-th stage."""

    def __init__(self, stage: int) -> None:
        self.stages_left = stage

    def begin(self, stage: str, *, total: int, unit: str) -> None:  # noqa: ARG002
        self.stages_left -= 1
        if self.stages_left == 0:
            raise KeyboardInterrupt

    def advance(self, amount: int, **figures: float) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""
