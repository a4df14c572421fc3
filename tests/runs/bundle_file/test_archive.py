"""Tests that an archive is checked before anything of it is used: sizes, names, kinds, compression."""

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rankelastor.checksums import Checksum, checksum_of_bytes
from rankelastor.errors import RunError
from rankelastor.runs.bundle_file.archive import is_bundle, open_archive
from rankelastor.runs.bundle_file.index import INDEX_FILE, BundleIndex
from rankelastor.runs.bundle_file.unpacked import opened_run, unpack_bundle

CONTENT = b"name: tiny\n"


def index_of(names: dict[str, bytes]) -> str:
    files = {name: Checksum(len(content), checksum_of_bytes(content)) for name, content in names.items()}
    return BundleIndex("tiny", "mlp", "0.1.0", 0, hashed_vocabularies=False, files=files).text()


def write(
    path: Path, files: dict[str, bytes], *, index: str | None = None, compression: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as packed:
        packed.writestr(INDEX_FILE, index_of(files) if index is None else index)
        for name, content in files.items():
            packed.writestr(name, content)
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The smallest bundle."""
    return write(tmp_path / "tiny.rank", {"run/config.yaml": CONTENT})


def test_the_run_is_called_as_the_bundle_is_and_its_folder_goes_with_it(bundle: Path) -> None:
    unpacked = unpack_bundle(bundle)
    assert unpacked.run.name == "tiny"
    assert (unpacked.run / "config.yaml").read_bytes() == CONTENT
    assert stat.S_IMODE(unpacked.folder.parent.stat().st_mode) == 0o700
    place = unpacked.folder.parent
    unpacked.close()
    assert not place.exists()
    with opened_run(bundle) as folder:
        assert folder.is_dir()


@pytest.mark.parametrize("name", ["...rank", "..rank", ".rank", "bundle.rank"])
def test_a_name_of_dots_alone_names_no_run(bundle: Path, name: str) -> None:
    with opened_run(bundle.rename(bundle.with_name(name))) as folder:
        assert (folder / "config.yaml").read_bytes() == CONTENT
        assert folder.name in {"run", ".rank"}
    assert not folder.exists()


def test_a_folder_or_another_file_is_no_bundle(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("text")
    assert [is_bundle(path) for path in (bundle, tmp_path, tmp_path / "other", tmp_path / "none")] == [
        True, False, False, False,
    ]  # fmt: skip
    with opened_run(tmp_path) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "run/../../x", "C:/x", "run\\x", "run//x", "./x", "run/a\0b", "run/" + "a" * 1000],
)
def test_names_that_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"must be a whole bundle"):
        unpack_bundle(write(tmp_path / "bad.rank", {name: CONTENT}))
    assert [path.name for path in tmp_path.iterdir()] == ["bad.rank"]


def link(member: zipfile.ZipInfo) -> None:
    member.external_attr = (stat.S_IFLNK | 0o777) << 16


def folder(member: zipfile.ZipInfo) -> None:
    member.filename += "/"


@pytest.mark.parametrize("change", [link, folder])
def test_links_and_folders_are_refused(change: Callable[[zipfile.ZipInfo], None], tmp_path: Path) -> None:
    path = tmp_path / "bad.rank"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(INDEX_FILE, index_of({"run/config.yaml": CONTENT}))
        member = zipfile.ZipInfo("run/config.yaml")
        change(member)
        packed.writestr(member, CONTENT)
    with pytest.raises(RunError, match=r"is a link or no file"):
        unpack_bundle(path)


def test_a_compressed_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.rank", {"run/a": b"\0" * (1 << 22)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(RunError, match=r"is compressed, and bundles hold their files as they are"):
        unpack_bundle(bomb)


def test_overlapping_files_that_claim_more_than_the_archive_has_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.rank", {"run/a": b"a" * 5000, "run/b": b"b" * 10})
    content = path.read_bytes()
    central = content.rindex(b"PK\x01\x02")
    sizes = content[central + 20 : central + 28]
    path.write_bytes(content[:central] + content[central:].replace(sizes, (5000).to_bytes(4, "little") * 2))
    with pytest.raises(RunError, match=r"would have more bytes than the archive"):
        unpack_bundle(path)


def test_files_beside_the_index_are_refused_and_so_are_missing_ones(tmp_path: Path) -> None:
    more = write(tmp_path / "more.rank", {"run/a": b"a", "run/b": b"b"}, index=index_of({"run/a": b"a"}))
    with pytest.raises(RunError, match=r"run/b has 1 bytes in the archive and no place in bundle.json"):
        unpack_bundle(more)
    fewer = write(tmp_path / "fewer.rank", {"run/a": b"a"}, index=index_of({"run/a": b"a", "run/b": b"b"}))
    with pytest.raises(RunError, match=r"run/b has no place in the archive and 1 bytes in bundle.json"):
        unpack_bundle(fewer)
    other = write(tmp_path / "other.rank", {"run/a": b"a"}, index=index_of({"run/a": b"b"}))
    with pytest.raises(RunError, match=r"run/a is damaged: its contents are not what was written"):
        unpack_bundle(other)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "two.rank", {"run/a": b"a"})
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("run/a", b"b")
    with pytest.raises(RunError, match=r"holds two files of one name"):
        unpack_bundle(path)


@pytest.mark.parametrize("index", ["", "[]", "{}", "{" * 100_000, '{"format_version": 1}', "\ud800"])
def test_a_damaged_index_is_refused(index: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.rank"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(INDEX_FILE, index.encode("utf-8", "surrogatepass"))
    with pytest.raises(RunError, match=r"bad.rank must be a whole bundle, but its bundle.json is damaged"):
        unpack_bundle(path)


def test_a_changed_index_is_noticed(tmp_path: Path) -> None:
    values = json.loads(index_of({"run/a": b"a"})) | {"model": "deepfm"}
    with pytest.raises(RunError, match=r"the checksum differs"):
        unpack_bundle(write(tmp_path / "bad.rank", {"run/a": b"a"}, index=json.dumps(values)))


def test_other_archives_and_missing_files_are_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a", "b")
    with pytest.raises(RunError, match=r"has no bundle.json; `rankelastor bundle RUN` makes one"):
        unpack_bundle(path)
    with pytest.raises(RunError, match=r"the bundle .*none.rank does not exist"), open_archive(tmp_path / "none.rank"):
        pass
