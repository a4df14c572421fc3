"""The tables to score or to evaluate: a file, the files of a folder, a stream of bytes, or a frame."""

from __future__ import annotations

import io
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, TypeGuard, cast

from rankelastor.data.raw.contents import Kind, contents_of
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.data_folder import data_files
from rankelastor.data.raw.frames import FRAME, Frame, frame_rows, is_frame
from rankelastor.data.raw.partitions import partitions_of
from rankelastor.data.raw.rows import RawRows, column_names, is_empty, read_rows
from rankelastor.errors import DataError
from rankelastor.places import in_full
from rankelastor.progress import ProgressListener
from rankelastor.remote.remote_path import AnyPath, RemotePath, place_of
from rankelastor.storage import explain_storage_errors
from rankelastor.suggestions import what_lies_near

_logger = logging.getLogger(__name__)

Table = str | AnyPath | BinaryIO | Frame
"""A table to read: the path or address of a file or folder, a stream of bytes, or a frame."""

_STANDARD_INPUT = "standard input"


@dataclass(frozen=True)
class Input:
    """One table: a file or a frame.

    Attributes:
        name: its path below the folder that was given, or the name of the file.
        kind: what the file holds, by its first bytes; a frame counts as an Arrow file.
        label: what messages call it.
        num_bytes: size of the file, 0 for a frame.
        folder_columns: the columns that the table gets from the names of its folders.
        rows: reads it in pieces; a table without rows is one empty piece.
    """

    name: PurePath
    kind: Kind
    label: str
    num_bytes: int
    folder_columns: tuple[str, ...]
    rows: Callable[[], Iterator[RawRows]]

    def read(self, progress: ProgressListener) -> Iterator[RawRows]:
        """Read it in pieces; a piece counts as progress, in bytes, once the next one is asked for."""
        bytes_done = 0
        for rows in self.rows():
            yield rows
            progress.advance(rows.bytes_read - bytes_done)
            bytes_done = rows.bytes_read


@dataclass(frozen=True)
class Inputs:
    """The tables that were given.

    Attributes:
        name: what they are called together: the name of the file or folder, of the stream, or "the frame".
        tables: the tables; a single one unless a folder was given.
    """

    name: str
    tables: tuple[Input, ...]

    @property
    def num_bytes(self) -> int:
        """Size of all files."""
        return sum(table.num_bytes for table in self.tables)


@contextmanager
def open_inputs(
    given: Table, csv: CsvSettings, *, needed: Collection[str], may_lack: Collection[str] = (), tabs: bool = False
) -> Iterator[Inputs]:
    """Open what was given to read.

    A stream, or a path that is no regular file (a pipe), is copied to a temporary file first, since readers look at a
    file several times; memory stays bounded.

    Args:
        given: the path of a file or folder, a stream of bytes, or a frame.
        csv: the format of CSV files.
        needed: the columns that must be there. Those that the file of a single path lacks may come from the names of
            its folders; the files of a folder get all columns that their folders name.
        may_lack: columns that a CSV file without header may lack; see ``rows.read_rows``.
        tabs: whether cells of a stream are separated by tabs, if ``csv`` does not tell.

    Raises:
        DataError: there is nothing to read, or it is of a format that is not read.
    """
    if is_frame(given):
        frame = Input(PurePath(FRAME.name), "arrow_file", str(FRAME), 0, (), lambda: frame_rows(given))
        yield Inputs(str(FRAME), (frame,))
    elif isinstance(given, str | Path | RemotePath):
        with _open_path(given, csv, needed=needed, may_lack=may_lack, tabs=tabs) as inputs:
            yield inputs
    elif is_stream(given):
        with _spooled(given, _name_of(given), tabs=tabs) as file:
            yield Inputs(_name_of(given), (_file_input(file, PurePath(file.name), csv, needed, may_lack),))
    else:
        next(frame_rows(cast("Frame", given)))  # says what was given instead of a frame
        raise AssertionError("what is no frame is refused")


@contextmanager
def _open_path(
    given: str | AnyPath, csv: CsvSettings, *, needed: Collection[str], may_lack: Collection[str], tabs: bool
) -> Iterator[Inputs]:
    path = place_of(given, what="the input", error=DataError)
    if isinstance(path, RemotePath):
        yield _remote_inputs(path, csv, needed=needed, may_lack=may_lack)
    elif path.is_dir():
        yield Inputs(path.name or str(path.resolve()), tuple(_folder_inputs(path, csv, may_lack)))
    elif not path.exists():
        place = Path(in_full(path))
        raise DataError(
            f"the input must be a readable file or folder, but {place} does not exist; {what_lies_near(place)}"
        )
    elif path.is_file():
        yield Inputs(path.name, (_file_input(path, PurePath(path.name), csv, needed, may_lack),))
    else:
        with path.open("rb") as stream, _spooled(stream, str(path), tabs=tabs) as file:
            yield Inputs(str(path), (_file_input(file, PurePath(file.name), csv, needed, may_lack),))


def _remote_inputs(path: RemotePath, csv: CsvSettings, *, needed: Collection[str], may_lack: Collection[str]) -> Inputs:
    """Make the inputs of a file or folder at an address."""
    if path.is_file():
        return Inputs(path.name, (_file_input(path, PurePath(path.name), csv, needed, may_lack),))
    if path.is_dir():
        return Inputs(path.name, tuple(_folder_inputs(path, csv, may_lack)))
    path.require_bucket()
    near = ", ".join(path.parent.names()[:8]) or "nothing"
    raise DataError(
        f"the input must be a readable file or folder, but there is nothing at {path}; {path.parent} holds {near}"
    )


def _file_input(
    file: AnyPath, name: PurePath, csv: CsvSettings, needed: Collection[str] | None, may_lack: Collection[str]
) -> Input:
    """Make the input of one file; ``needed`` None takes all columns that its folders name."""
    partitions = tuple(each for each in partitions_of(str(file)) if needed is None or each[0] in needed)
    added: tuple[str, ...] = ()
    if partitions:
        stored = column_names(file, csv)
        added = column_names(file, csv, partitions=partitions)[len(stored) :]

    def rows() -> Iterator[RawRows]:
        return read_rows(file, csv, may_lack=may_lack, allow_empty=True, partitions=partitions)

    return Input(name, contents_of(file).kind, str(file), file.stat().st_size, added, rows)


def _folder_inputs(folder: AnyPath, csv: CsvSettings, may_lack: Collection[str]) -> Iterator[Input]:
    """Make the inputs of the files in a folder that hold anything, with a warning that names the others."""
    files = data_files(folder, what="the input")
    empty = [file for file in files if is_empty(file, csv)]
    if empty and len(empty) < len(files):
        shown = ", ".join(map(str, empty[:8])) + (f" and {len(empty) - 8} more" if len(empty) > 8 else "")  # noqa: PLR2004 - enough to recognise them
        _logger.warning("files without rows are skipped (%d of %d): %s", len(empty), len(files), shown)
        files = [file for file in files if file not in set(empty)]
    for file in files:
        yield _file_input(file, _below(file, folder), csv, None, may_lack)


def _below(file: AnyPath, folder: AnyPath) -> PurePath:
    if isinstance(file, RemotePath):
        assert isinstance(folder, RemotePath), "its files lie where it lies"
        return PurePath(file.relative_to(folder))
    return PurePath(file.relative_to(str(folder)))


def is_stream(given: object) -> TypeGuard[BinaryIO]:
    """Tell whether an object is a stream, rather than a frame or a path."""
    return hasattr(given, "read")


def _name_of(stream: BinaryIO) -> str:
    if stream is getattr(sys.stdin, "buffer", None):
        return _STANDARD_INPUT
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) else "the stream"


@contextmanager
def _spooled(stream: object, label: str, *, tabs: bool) -> Iterator[Path]:
    """Copy a stream to a temporary file; messages about the file name the stream."""
    if isinstance(stream, io.TextIOBase):
        raise DataError(f"{label} must be a stream of bytes, but gives text; try its .buffer, or open it with 'rb'")
    with tempfile.TemporaryDirectory(prefix="rankelastor-") as folder:
        file = Path(folder) / ("stream.tsv" if tabs else "stream")
        with explain_storage_errors(file), file.open("wb") as copy:
            shutil.copyfileobj(cast("BinaryIO", stream), copy, 1 << 20)
        try:
            yield file
        except DataError as error:
            raise type(error)(str(error).replace(str(file), label)) from error
