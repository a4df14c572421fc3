"""Refuse an output that must not be written: it exists, is no path, or lies in its own input."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from rankelastor.data.raw.inputs import Table
from rankelastor.errors import OVERWRITE, StorageError
from rankelastor.places import in_full, refuse_address

DONE_MARK = "_SUCCESS"
"""The empty file that marks a folder of scored files as complete; readers of folders skip it."""


def refuse_output(output: str | Path | BinaryIO, folder: Table | None, *, overwrite: bool) -> None:
    """Raise unless an output may be written.

    Args:
        output: the path of a file or folder, or a stream, which may always be written.
        folder: the folder that is read, if the output is a folder, too; else None.
        overwrite: whether to replace an existing file, or a folder that an earlier call wrote.

    Raises:
        StorageError: the output exists, is an address, or lies in the input.
    """
    if not isinstance(output, str | Path):
        return
    refuse_address(output, what="the output", error=StorageError)
    if str(output) == "-":
        raise StorageError("the output must be a path or a stream of bytes, but '-' was given; try sys.stdout.buffer")
    path = Path(in_full(output))
    if folder is not None:
        assert isinstance(folder, str | Path), "the input is a folder"
        _refuse_folder(path, Path(in_full(folder)), overwrite=overwrite)
    elif path.is_dir():
        raise StorageError(f"the output must be a file, but {path} is a folder; name a file in it")
    elif path.exists() and not overwrite:
        raise StorageError(
            f"the output must be a new file, but {path} exists; try {OVERWRITE} to replace it", python=OVERWRITE
        )


def _refuse_folder(path: Path, given: Path, *, overwrite: bool) -> None:
    """Raise unless a folder may be written: it is new, empty, or the work of an earlier call."""
    ours, theirs = path.resolve(), given.resolve()
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise StorageError(f"the output must lie apart from the input, but {path} and {given} do not")
    if path.is_file():
        raise StorageError(f"the output of a folder must be a folder, but {path} is a file; name another")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not (path / DONE_MARK).is_file():
        raise StorageError(f"the output must be a new folder, but {path} holds other files; name another")
    if not overwrite:
        raise StorageError(
            f"the output must be a new folder, but {path} exists; try {OVERWRITE} to replace it", python=OVERWRITE
        )
