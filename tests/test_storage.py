import errno
import os
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from rankelastor import storage
from rankelastor.errors import StorageError
from rankelastor.storage import remove_leftovers, whole_file, whole_folder


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


def test_nothing_is_replaced_where_nothing_was_written(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old.txt").write_text("old")
    with whole_folder(tmp_path / "f"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f" / "old.txt").read_text() == "old"


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".f.partial" / "staged"
    left.mkdir(parents=True)
    (left / "part.arrow").write_text("half")
    (left.parent / "schema.json").write_text("half")
    with whole_folder(tmp_path / "f") as temporary:
        assert list(temporary.iterdir()) == []
        (temporary / "new.txt").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_folder_that_a_killed_process_had_moved_aside_comes_back(tmp_path: Path) -> None:
    (tmp_path / ".f.old").mkdir()
    (tmp_path / ".f.old" / "whole.txt").write_text("whole")
    with whole_folder(tmp_path / "f"):
        assert (tmp_path / "f" / "whole.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_one_writer_waits_for_the_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def write(name: str, begun: threading.Event) -> None:
        with whole_folder(tmp_path / "f") as temporary:
            begun.set()
            seen.append(f"{name} finds {sorted(path.name for path in tmp_path.glob('f/*'))}")
            time.sleep(0.1)
            (temporary / name).write_text(name)

    first, second = threading.Event(), threading.Event()
    writers = [threading.Thread(target=write, args=("a", first)), threading.Thread(target=write, args=("b", second))]
    writers[0].start()
    assert first.wait(10)
    writers[1].start()
    for writer in writers:
        writer.join()
    assert seen == ["a finds []", "b finds ['a']"]
    assert [path.name for path in tmp_path.glob("f/*")] == ["b"]
    assert "another process is writing" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def planted(tmp_path: Path) -> Path:
    """Make a folder that a link must not lead to."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "precious.txt").write_text("precious")
    return tmp_path / "victim"


@pytest.mark.parametrize("name", [".f.partial", ".f.old"])
def test_a_link_planted_beside_a_folder_is_refused_and_its_target_stays(tmp_path: Path, name: str) -> None:
    victim = planted(tmp_path)
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(StorageError, match=rf"{name} must be .*, but it is a link"), whole_folder(tmp_path / "f"):
        pass
    assert [path.name for path in victim.iterdir()] == ["precious.txt"]
    assert not (tmp_path / "f").exists()


def test_a_folder_of_another_user_is_not_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".f.partial").mkdir()
    (tmp_path / ".f.partial" / "theirs.txt").write_text("theirs")
    monkeypatch.setattr("os.geteuid", lambda: 98765)
    with pytest.raises(StorageError, match="must be yours, but it belongs to the user"), whole_folder(tmp_path / "f"):
        pass
    assert (tmp_path / ".f.partial" / "theirs.txt").exists()


def test_links_of_other_users_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = planted(tmp_path) / "precious.txt"
    (tmp_path / "o.txt").symlink_to(victim)
    monkeypatch.setattr("rankelastor.storage.is_own", lambda _: False)
    monkeypatch.setattr(Path, "lstat", lambda _: SimpleNamespace(st_uid=98765, st_mode=0o120777))
    message = r"no link of another user, but user 98765 made it"
    with pytest.raises(StorageError, match=message), whole_file(tmp_path / "o.txt") as temporary:
        temporary.write_text("new")
    assert victim.read_text() == "precious"


def test_temporary_files_cannot_be_reached_or_guessed_by_others(tmp_path: Path) -> None:
    with whole_file(tmp_path / "o.txt") as first, whole_file(tmp_path / "o.txt") as second:
        assert first.parent != second.parent
        assert str(os.getpid()) not in first.parent.name.split(".")
        assert first.parent.stat().st_mode & 0o077 == 0
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "o.txt").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["o.txt"]


def test_what_a_killed_writer_of_a_file_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".o.txt.abcd.partial").mkdir()
    (tmp_path / ".o.txt.abcd.partial" / "o.txt").write_text("half")
    (tmp_path / ".o.txt.mine.partial").mkdir()
    (tmp_path / ".o.txt.mine.partial" / "other").write_text("no temporary file of ours")
    with whole_file(tmp_path / "o.txt") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"o.txt", ".o.txt.mine.partial"}


def test_leftovers_beside_a_folder_are_removed_unless_in_use(tmp_path: Path) -> None:
    (tmp_path / ".f.partial" / "staged").mkdir(parents=True)
    remove_leftovers(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "f") as temporary:
        (temporary / "new.txt").write_text("new")
        remove_leftovers(tmp_path / "f")
        assert (temporary / "new.txt").exists()


def test_files_and_folders_reach_the_disk_before_they_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    flush = storage._flush_to_disk

    def note(path: Path) -> None:
        flush(path)
        flushed.append(path.name)

    monkeypatch.setattr(storage, "_flush_to_disk", note)
    with whole_folder(tmp_path / "f") as temporary:
        (temporary / "train").mkdir()
        (temporary / "train" / "rows.arrow").write_text("rows")
    assert flushed == ["rows.arrow", "train", ".f.partial", tmp_path.name]
    flushed.clear()
    with whole_file(tmp_path / "o.txt") as temporary:
        temporary.write_text("new")
    assert flushed == ["o.txt", tmp_path.name]
