"""Refuse an output that must not be written: it exists, is no path, or lies in its own input."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from rankelastor.data.raw.inputs import Table
from rankelastor.errors import OVERWRITE, StorageError
from rankelastor.places import in_full
from rankelastor.remote.remote_path import AnyPath, RemotePath, place_of

DONE_MARK = "_SUCCESS"
"""The empty file that marks a folder of scored files as complete; readers of folders skip it."""


def refuse_output(output: str | AnyPath | BinaryIO, folder: Table | None, *, overwrite: bool) -> None:
    """Raise unless an output may be written.

    Args:
        output: the path or address of a file or folder, or a stream, which may always be written.
        folder: the folder that is read, if the output is a folder, too; else None.
        overwrite: whether to replace an existing file, or a folder that an earlier call wrote.

    Raises:
        StorageError: the output exists, is an address that cannot be opened, or lies in the input.
        RemoteError: the address cannot be reached.
    """
    if not isinstance(output, str | Path | RemotePath):
        return
    if str(output) == "-":
        raise StorageError("the output must be a path or a stream of bytes, but '-' was given; try sys.stdout.buffer")
    place = place_of(output, what="the output", error=StorageError)
    path = Path(in_full(place)) if isinstance(place, Path) else place
    if folder is not None:
        assert isinstance(folder, str | Path | RemotePath), "the input is a folder"
        given = place_of(folder, what="the input", error=StorageError)
        _refuse_folder(path, Path(in_full(given)) if isinstance(given, Path) else given, overwrite=overwrite)
    elif path.is_dir():
        raise StorageError(f"the output must be a file, but {path} is a folder; name a file in it")
    elif path.exists() and not overwrite:
        raise StorageError(
            f"the output must be a new file, but {path} exists; try {OVERWRITE} to replace it", python=OVERWRITE
        )
    elif isinstance(path, RemotePath):
        path.require_bucket()  # before hours of work


def _refuse_folder(path: AnyPath, given: AnyPath, *, overwrite: bool) -> None:
    """Raise unless a folder may be written: it is new, empty, or the work of an earlier call."""
    if _lies_in(path, given) or _lies_in(given, path):
        raise StorageError(f"the output must lie apart from the input, but {path} and {given} do not")
    if path.is_file():
        raise StorageError(f"the output of a folder must be a folder, but {path} is a file; name another")
    if isinstance(path, RemotePath):
        path.require_bucket()
    if not path.is_dir() or not _names(path):
        return
    if not (path / DONE_MARK).is_file():
        raise StorageError(f"the output must be a new folder, but {path} holds other files; name another")
    if not overwrite:
        raise StorageError(
            f"the output must be a new folder, but {path} exists; try {OVERWRITE} to replace it", python=OVERWRITE
        )


def _lies_in(path: AnyPath, folder: AnyPath) -> bool:
    """Tell whether a path is a folder or lies in it."""
    if isinstance(path, RemotePath):
        return path.is_relative_to(folder)
    return isinstance(folder, Path) and path.resolve().is_relative_to(folder.resolve())


def _names(folder: AnyPath) -> list[str]:
    return folder.names() if isinstance(folder, RemotePath) else [item.name for item in folder.iterdir()]
