import errno
import shutil
from pathlib import Path

import pytest

from rankelastor.errors import StorageError
from rankelastor.storage import whole_file, whole_folder


def fill_the_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a" / "b.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "a" / "b.txt").exists()
    assert (tmp_path / "a" / "b.txt").read_text() == "whole"
    assert len(list((tmp_path / "a").iterdir())) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "b.txt").write_text("old")

    def write_half() -> None:
        with whole_file(tmp_path / "b.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b.txt", "old")]


def test_a_folder_replaces_the_old_one_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old.txt").write_text("old")
    with whole_folder(tmp_path / "f") as temporary:
        (temporary / "new.txt").write_text("new")
        assert (tmp_path / "f" / "old.txt").exists()
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_full_disk_is_explained_and_nothing_is_left(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"b\.txt cannot be written: the disk is full; free some space"),
        whole_file(tmp_path / "b.txt"),
    ):
        fill_the_disk()
    with pytest.raises(StorageError, match="the disk is full"), whole_folder(tmp_path / "f"):
        fill_the_disk()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError("[Errno 28] No space left on device"), shutil.Error([("a", "b", "[Errno 28] No space left")])]
)
def test_a_full_disk_is_recognised_in_words(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(StorageError, match="the disk is full"), whole_file(tmp_path / "b.txt"):
        raise error


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old.txt").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with whole_folder(tmp_path / "link") as temporary:
        (temporary / "new.txt").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["new.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"link", "target"}


def test_what_is_no_file_is_not_replaced() -> None:
    with pytest.raises(StorageError, match="/dev/null must be a file that can be replaced"), whole_file("/dev/null"):
        pass


def test_a_place_below_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="a part of the path is a file"),
        whole_file(tmp_path / "file" / "b.txt"),
    ):
        pass
