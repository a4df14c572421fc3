"""Unpack the files of a published data set from its zip; refuse unsafe paths, links and sizes."""

from __future__ import annotations

import errno
import hashlib
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from rankelastor.data.published.catalogue import PublishedDataset
from rankelastor.errors import DataError, StorageError
from rankelastor.progress import ProgressListener
from rankelastor.zip_damage import ZIP_DAMAGE

_PIECE_BYTES = 1 << 20
_ENCRYPTED = 0x1
_OF_DAMAGE = (None, errno.EINVAL)
"""Numbers of the OSErrors of a damaged zip: bz2 gives none, and a place before the beginning is invalid."""


@dataclass(frozen=True)
class UnpackedFile:
    """An unpacked file: its name, size and md5 sum."""

    name: str
    num_bytes: int
    md5: str


def unpack(archive: Path, dataset: PublishedDataset, folder: Path, progress: ProgressListener) -> list[UnpackedFile]:
    """Unpack the files of the data set into the folder, and compare their md5 sums.

    The files may be in any folder of the archive; they are written to ``folder`` itself, under their own names. Other
    members are ignored.

    Raises:
        DataError: the archive is damaged, lacks a file, holds a link or a path outside the folder, would unpack to
            more than the data set allows, or a file does not have the published md5 sum.
        StorageError: the disk has too little space.
    """
    with _explain_errors(archive), zipfile.ZipFile(archive) as packed:
        _refuse_unsafe_members(archive, packed.infolist())
        members = [_member(archive, packed.infolist(), file.name) for file in dataset.files]
        total = sum(member.file_size for member in members)
        _check_size(archive, dataset, total, folder)
        progress.begin(f"unpack {dataset.id}", total=total, unit="bytes")
        written = [
            _write(packed, member, folder / file.name, progress)
            for file, member in zip(dataset.files, members, strict=True)
        ]
        progress.end()
    for file, unpacked in zip(dataset.files, written, strict=True):
        if file.md5 is not None and unpacked.md5 != file.md5:
            raise DataError(
                f"{file.name} of {dataset.id} must have the published md5 sum {file.md5}, but in {archive.name} it has "
                f"{unpacked.md5}; the archive is damaged or has another version: fetch it again, or from elsewhere"
            )
    return written


def md5_of(path: Path, progress: ProgressListener) -> str:
    """Compute the md5 sum of a file as hexadecimal text."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            progress.advance(len(piece))
    return digest.hexdigest()


@contextmanager
def _explain_errors(archive: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_DAMAGE:
            raise
        raise DataError(f"{archive} must be a complete zip file, but {error}; fetch it again") from error
    except ZIP_DAMAGE as error:
        raise DataError(f"{archive} must be a complete zip file, but {error}; fetch it again") from error


def _refuse_unsafe_members(archive: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.orig_filename
        windows = PureWindowsPath(name)  # it parses both kinds of slashes, and drive letters
        if windows.drive or windows.root or ".." in windows.parts or "\0" in name:
            raise DataError(
                f"every path in {archive} must stay inside the folder it is unpacked to, but {name!r} leaves it; "
                "do not use this archive"
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{archive} must hold files only, but {name!r} is a link; do not use this archive")


def _member(archive: Path, members: Sequence[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    files = [member for member in members if not member.is_dir()]
    found = [member for member in files if PurePosixPath(member.filename).name == name]
    if len(found) != 1:
        held = ", ".join(sorted(member.filename for member in files)[:8]) or "nothing"
        often = f"it occurs {len(found)} times" if found else "it does not"
        raise DataError(f"{archive} must hold {name} once, but {often}: the archive holds {held}")
    if found[0].flag_bits & _ENCRYPTED:
        raise DataError(f"{archive} must not need a password, but {name} is encrypted; try another archive")
    return found[0]


def _check_size(archive: Path, dataset: PublishedDataset, total: int, folder: Path) -> None:
    if total > dataset.most_bytes:
        raise DataError(
            f"{dataset.id} must unpack to at most {dataset.most_bytes:,} bytes, but {archive} declares {total:,}; "
            "do not use this archive"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise StorageError(
            f"unpacking {dataset.id} takes {total:,} bytes, but {folder.parent} has {free:,} free; "
            "free some space or choose another folder"
        )


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, progress: ProgressListener) -> UnpackedFile:
    """Copy one member; `zipfile` reads at most the declared size, and checks the CRC."""
    digest = hashlib.md5(usedforsecurity=False)
    with packed.open(member) as source, target.open("wb") as file:
        while piece := source.read(_PIECE_BYTES):
            file.write(piece)
            digest.update(piece)
            progress.advance(len(piece))
        num_bytes = file.tell()
    if num_bytes != member.file_size:
        raise EOFError(f"{member.filename} ends after {num_bytes:,} of {member.file_size:,} bytes")
    return UnpackedFile(target.name, num_bytes, digest.hexdigest())
