"""Write files and folders at addresses: first on this machine's disk, then there, so that no part of one stays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rankelastor.errors import RemoteError
from rankelastor.remote.remote_path import RemotePath


@contextmanager
def uploaded_file(target: RemotePath) -> Iterator[Path]:
    """Yield a temporary path on the disk; on success its file is written to the address.

    Raises:
        RemoteError: the address cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="rankelastor-") as scratch:
        temporary = Path(scratch) / target.name
        yield temporary
        target.upload(temporary)


@contextmanager
def uploaded_folder(target: RemotePath, *, last: str) -> Iterator[Path]:
    """Yield an empty temporary folder on the disk; on success its files are written to the address.

    The file called ``last`` comes last, so that a folder which has it is whole. A folder that is replaced loses its own
    one first, and then the files that the new one lacks; an object store cannot do that in one step. If writing fails,
    the files that were written are removed. If nothing is put into the temporary folder, the address stays as it is.

    Raises:
        RemoteError: the address cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="rankelastor-") as scratch:
        folder = Path(scratch) / (target.name or "folder")
        folder.mkdir()
        yield folder
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if files:
            _upload(target, folder, files, last=last)


def _upload(target: RemotePath, folder: Path, files: list[Path], *, last: str) -> None:
    before = target.files_below()
    mark = target / last
    written: list[RemotePath] = []
    try:
        if mark in before:
            mark.unlink()
        for file in sorted(files, key=lambda file: file == folder / last):
            place = target / file.relative_to(folder).as_posix()
            written.append(place)
            place.upload(file)
    except BaseException:
        for place in written:
            with suppress(RemoteError, FileNotFoundError):
                place.unlink()
        raise
    for place in before:
        if place not in set(written):
            with suppress(FileNotFoundError):
                place.unlink()
