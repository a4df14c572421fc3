"""Tests of unpacking: the published files are written, and unsafe archives are refused."""

import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.data.published.conftest import CONTENTS, pack

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.data.published.unpack import unpack
from rankelastor.errors import DataError, StorageError
from rankelastor.progress import SilentProgress


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "target"
    folder.mkdir(parents=True)
    return folder


def unpack_quietly(archive: Path, dataset: PublishedDataset, target: Path) -> None:
    unpack(archive, dataset, target, SilentProgress())


@pytest.mark.parametrize("prefix", ["", "Tiny_x1/", "a/b/"])
def test_files_come_out_side_by_side_wherever_they_lie_in_the_archive(
    prefix: str, dataset: PublishedDataset, target: Path, tmp_path: Path
) -> None:
    contents = {f"{prefix}{name}": content for name, content in CONTENTS.items()}
    archive = pack(tmp_path / "a.zip", contents | {"README.md": b"hello"}, zipfile.ZIP_DEFLATED)
    written = unpack(archive, dataset, target, SilentProgress())
    assert {path.name: path.read_bytes() for path in target.iterdir()} == CONTENTS
    assert [file.num_bytes for file in written] == [len(content) for content in CONTENTS.values()]


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "C:\\evil", "..\\evil", "\\\\server\\share\\evil"]
)
def test_a_path_that_leaves_the_folder_is_refused_and_nothing_is_written(
    name: str, dataset: PublishedDataset, target: Path, tmp_path: Path
) -> None:
    archive = pack(tmp_path / "a.zip", CONTENTS | {name: b"evil"})
    with pytest.raises(DataError, match=r"must stay inside the folder .* leaves it; do not use this archive"):
        unpack_quietly(archive, dataset, target)
    assert not list(target.iterdir())
    assert not list(tmp_path.rglob("evil"))


def test_a_link_is_refused(dataset: PublishedDataset, target: Path, tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {name: CONTENTS[name] for name in ("test.csv", "vectors.h5")})
    link = zipfile.ZipInfo("train.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"must hold files only, but 'train.csv' is a link"):
        unpack_quietly(archive, dataset, target)


def test_more_than_the_data_set_can_hold_is_refused_before_it_is_written(
    dataset: PublishedDataset, target: Path, tmp_path: Path
) -> None:
    bomb = CONTENTS | {"train.csv": bytes(5_000_000)}
    archive = pack(tmp_path / "a.zip", bomb, zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"at most 1,000,000 bytes, but .* declares 5,010,261"):
        unpack_quietly(archive, dataset, target)
    assert not list(target.iterdir())


def test_an_archive_that_declares_less_than_it_holds_is_refused(
    dataset: PublishedDataset, target: Path, tmp_path: Path
) -> None:
    bomb = CONTENTS | {"train.csv": bytes(5_000_000)}
    archive = pack(tmp_path / "a.zip", bomb, zipfile.ZIP_DEFLATED)
    told = archive.read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 1000))
    archive.write_bytes(told)
    with pytest.raises(DataError, match=r"must be a complete zip file, but Bad CRC-32 for file 'train.csv'"):
        unpack_quietly(archive, dataset, target)
    assert (target / "train.csv").stat().st_size <= 1000


def test_a_disk_with_too_little_space_is_noticed_before_writing(
    dataset: PublishedDataset, target: Path, zips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StorageError, match=r"unpacking Tiny_x1 takes 2\d\d,\d{3} bytes, but .* has 1,000 free"):
        unpack_quietly(zips / "Tiny_x1.zip", dataset, target)
    assert not list(target.iterdir())


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip"])
def test_a_broken_archive_is_refused(damage: str, dataset: PublishedDataset, target: Path, zips: Path) -> None:
    archive = zips / "Tiny_x1.zip"
    content = archive.read_bytes()
    damaged = {
        "cut": content[:-2000],
        "flipped": content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
        "no zip": b"<html>not found</html>",
    }
    archive.write_bytes(damaged[damage])
    with pytest.raises(DataError, match=r"Tiny_x1.zip must be a complete zip file, but .*; fetch it again"):
        unpack_quietly(archive, dataset, target)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_a_message_whatever_the_compression(
    method: int, dataset: PublishedDataset, target: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", method) as made:
        for name, content in CONTENTS.items():
            made.writestr(name, content)
    whole = archive.read_bytes()
    for place in range(0, len(whole) - 30, 1 + len(whole) // 40):
        archive.write_bytes(whole[:place] + b"\xff" * 30 + whole[place + 30 :])
        with suppress(DataError, StorageError):
            unpack_quietly(archive, dataset, target)


def test_other_contents_have_another_checksum(dataset: PublishedDataset, target: Path, tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", CONTENTS | {"test.csv": b"label,user\n"})
    with pytest.raises(DataError, match=r"test.csv of Tiny_x1 must have the published md5 sum [0-9a-f]{32}, but in a"):
        unpack_quietly(archive, dataset, target)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"train.csv": b"", "vectors.h5": b""}, "must hold test.csv once, but it does not"),
        (CONTENTS | {"copy/test.csv": b""}, "must hold test.csv once, but it occurs 2 times"),
    ],
    ids=["missing", "twice"],
)
def test_every_file_must_be_there_once(
    contents: dict[str, bytes], message: str, dataset: PublishedDataset, target: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        unpack_quietly(pack(tmp_path / "a.zip", contents), dataset, target)
