"""Read and write the archive of a bundle. Nothing is taken on trust: sizes, names, kinds and checksums are checked."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rankelastor.checksums import find_damage
from rankelastor.errors import RunError, StorageError
from rankelastor.places import in_full, refuse_address
from rankelastor.runs.bundle_file.index import INDEX_FILE, MOST_INDEX_BYTES, BundleIndex
from rankelastor.storage import explain_storage_errors
from rankelastor.suggestions import what_lies_near
from rankelastor.zip_damage import ZIP_DAMAGE

_PIECE_BYTES = 1 << 20
_MOST_FILES = 100_000
_ENCRYPTED = 0x1
_START = b"PK"
_SAME_TIME = (2000, 1, 1, 0, 0, 0)


def is_bundle(path: str | Path) -> bool:
    """Tell whether a path is a file that begins as a bundle does, rather than a folder or anything else."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_START)) == _START
    except (OSError, ValueError):
        return False


class Archive:
    """An open bundle, whose index is read and agrees with the archive.

    Attributes:
        path: the file.
        index: what the bundle holds.
    """

    def __init__(self, path: Path, packed: zipfile.ZipFile) -> None:
        self.path = path
        self._packed = packed
        members = packed.infolist()
        _refuse_unsafe_members(path, members)
        self._members = {member.filename: member for member in members}
        self.index = BundleIndex.read(self._read_index(), source=str(path))
        self._require_same_files()

    def read(self, name: str, *, most_bytes: int = MOST_INDEX_BYTES) -> bytes:
        """Read one small file of the bundle, which is not compared with its checksum.

        Raises:
            RunError: there is no such file, or it is larger.
        """
        member = self._members.get(name)
        if member is None or member.file_size > most_bytes:
            what = "it does not hold it" if member is None else f"it has {member.file_size:,} bytes there"
            raise _damaged(self.path, f"{name} must be a file of at most {most_bytes:,} bytes, and {what}")
        return self._packed.read(member)

    def unpack(self, folder: Path) -> dict[str, str]:
        """Write all files into an empty folder, and compare each with its checksum.

        Returns:
            What is wrong with files, by path in the bundle; empty if nothing is.

        Raises:
            StorageError: the disk has too little space.
        """
        total = sum(each.num_bytes for each in self.index.files.values())
        if total > shutil.disk_usage(folder).free:
            raise StorageError(
                f"unpacking {self.path} takes {total:,} bytes, but {folder} has "
                f"{shutil.disk_usage(folder).free:,} free; free some space, or name another folder in TMPDIR"
            )
        damage: dict[str, str] = {}
        for name, expected in self.index.files.items():
            target = folder / name
            with explain_storage_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                found = self._write(name, target) or find_damage(target, expected)
            if found is not None:
                damage[name] = found
        return damage

    def _write(self, name: str, target: Path) -> str | None:
        try:
            with self._packed.open(self._members[name]) as source, target.open("xb") as file:
                shutil.copyfileobj(source, file, _PIECE_BYTES)
        except ZIP_DAMAGE as error:
            return f"it cannot be read: {error}"
        return None

    def _read_index(self) -> bytes:
        if INDEX_FILE not in self._members:
            raise RunError(f"{self.path} must be a bundle, but has no {INDEX_FILE}; `rankelastor bundle RUN` makes one")
        return self.read(INDEX_FILE)

    def _require_same_files(self) -> None:
        """Check that the archive holds the files of the index, in their sizes, and no others."""
        found = {name: member.file_size for name, member in self._members.items() if name != INDEX_FILE}
        listed = {name: each.num_bytes for name, each in self.index.files.items()}
        differing = sorted(name for name in found.keys() | listed.keys() if found.get(name) != listed.get(name))
        if differing:
            name = differing[0]
            raise _damaged(
                self.path,
                f"{name} has {_size(found.get(name))} in the archive and {_size(listed.get(name))} in {INDEX_FILE}",
            )


@contextmanager
def open_archive(path: str | Path) -> Iterator[Archive]:
    """Open a bundle and check its index against the archive, before anything else is read.

    Raises:
        RunError: the file is missing, is no bundle, is damaged, holds links or other unsafe members, or was written by
            a newer version.
    """
    refuse_address(path, what="a bundle", error=RunError)
    path = Path(path)
    with _explained(path), path.open("rb") as file:
        if file.read(len(_START)) != _START:
            raise RunError(f"{path} must be a bundle (a zip archive), but is not; `rankelastor bundle RUN` makes one")
        with zipfile.ZipFile(file) as packed:
            yield Archive(path, packed)


def write_archive(target: Path | BinaryIO, index: BundleIndex, folder: Path) -> None:
    """Write the files of a folder that the index lists; equal files give equal archives.

    Raises:
        OSError: the disk is full, or a file cannot be read.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
        packed.writestr(_member(INDEX_FILE), index.text())
        for name, checksum in index.files.items():
            member = _member(name)
            member.file_size = checksum.num_bytes  # tells zipfile early whether it needs 64 bits
            with (folder / name).open("rb") as source, packed.open(member, "w") as file:
                shutil.copyfileobj(source, file, _PIECE_BYTES)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, date_time=_SAME_TIME)
    member.compress_type = zipfile.ZIP_STORED
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    return member


def _refuse_unsafe_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if len(members) > _MOST_FILES:
        raise _damaged(path, f"it holds {len(members):,} files, and at most {_MOST_FILES:,} are read")
    if len({member.filename for member in members}) < len(members):
        raise _damaged(path, "it holds two files of one name")
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or member.is_dir():
            raise _damaged(path, f"{member.filename!r} is a link or no file; do not use it")
        if member.flag_bits & _ENCRYPTED:
            raise _damaged(path, f"{member.filename!r} is encrypted")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise _damaged(path, f"{member.filename!r} is compressed, and bundles hold their files as they are")
    num_bytes = path.stat().st_size
    if sum(member.file_size for member in members) > num_bytes:
        raise _damaged(path, f"its files would have more bytes than the archive, which has {num_bytes:,}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        place = Path(in_full(path))
        raise RunError(f"the bundle {place} does not exist; {what_lies_near(place)}") from None
    except OSError as error:
        if error.errno not in {None, errno.EINVAL, errno.EACCES, errno.EISDIR, errno.EIO, errno.ENAMETOOLONG}:
            raise
        raise _damaged(path, error.strerror or error) from None
    except ZIP_DAMAGE as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, reason: object) -> RunError:
    return RunError(
        f"{path} must be a whole bundle, but {reason}; restore it from a copy, or make it again with "
        "`rankelastor bundle RUN`"
    )


def _size(num_bytes: int | None) -> str:
    return "no place" if num_bytes is None else f"{num_bytes:,} bytes"
