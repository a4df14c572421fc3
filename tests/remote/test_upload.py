import re
from pathlib import Path

import pytest

from rankelastor.errors import RemoteError
from rankelastor.remote.remote_path import RemotePath
from rankelastor.remote.upload import uploaded_folder
from rankelastor.storage import whole_file, whole_folder


def fill(folder: Path, *names: str, text: str = "new") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def fail_after(folder: Path, *names: str) -> None:
    fill(folder, *names)
    raise ZeroDivisionError


def test_a_file_is_there_only_if_it_is_whole(bucket: RemotePath) -> None:
    target = bucket / "a.csv"
    with pytest.raises(ZeroDivisionError), whole_file(target) as temporary:
        fail_after(temporary.parent, temporary.name)
    assert not target.exists()
    with whole_file(target) as temporary:
        temporary.write_text("whole")
    assert target.read_text() == "whole"


def test_a_folder_is_replaced_as_a_whole(bucket: RemotePath) -> None:
    target = bucket / "data"
    with whole_folder(target, last="mark") as temporary:
        fill(temporary, "mark", "a", "old/b", text="old")
    with whole_folder(target, last="mark") as temporary:
        fill(temporary, "mark", "a", "c")
    assert {name: (target / name).read_text() for name in target.sizes_below()} == dict.fromkeys("ac", "new") | {
        "mark": "new"
    }


def test_nothing_is_written_where_the_work_fails(bucket: RemotePath) -> None:
    target = bucket / "data"
    with whole_folder(target, last="mark") as temporary:
        fill(temporary, "mark", text="old")
    with pytest.raises(ZeroDivisionError), whole_folder(target, last="mark") as temporary:
        fail_after(temporary, "mark", "a")
    assert target.sizes_below() == {"mark": 3}
    with whole_folder(target, last="mark"):
        pass
    assert target.sizes_below() == {"mark": 3}


def test_the_mark_comes_last_and_what_was_written_goes_where_writing_fails(
    bucket: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    upload = RemotePath.upload

    def noted(self: RemotePath, source: Path) -> None:
        written.append(self.name)
        if self.name == "mark":
            raise RemoteError("the network is down")
        upload(self, source)

    monkeypatch.setattr(RemotePath, "upload", noted)
    with pytest.raises(RemoteError, match="is down"), uploaded_folder(bucket / "data", last="mark") as temporary:
        fill(temporary, "mark", "a", "z/b")
    assert written == ["a", "b", "mark"]
    assert (bucket / "data").files_below() == []


def test_a_bucket_that_does_not_exist_is_named(s3_environment: str) -> None:
    with (
        pytest.raises(
            RemoteError, match=re.escape("there is no bucket nowhere-at-all; check its name and AWS_ENDPOINT")
        ),
        uploaded_folder(RemotePath.of("s3://nowhere-at-all/data"), last="mark") as temporary,
    ):
        fill(temporary, "mark", "a")
