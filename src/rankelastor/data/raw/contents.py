"""Recognise what a file holds by its first bytes, and refuse what is not read by the name of what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rankelastor.data.raw.compression import CompressedFile, Compression, compression_of_bytes
from rankelastor.data.raw.foreign_formats import foreign_format
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath, head_of

Kind = Literal["parquet", "arrow_file", "arrow_stream", "orc", "text", "empty"]

_HEAD_BYTES = 4096
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow_file"),
    (b"ORC", "orc"),
    (b"\xff\xff\xff\xff", "arrow_stream"),
)
_TITLES: dict[Kind, str] = {
    "parquet": "Parquet",
    "arrow_file": "Arrow IPC (Feather)",
    "arrow_stream": "Arrow IPC stream",
    "orc": "ORC",
    "text": "text",
    "empty": "nothing",
}
_COLUMNAR_SUFFIXES: dict[str, str] = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".feather": "Arrow IPC (Feather)",
    ".arrow": "Arrow IPC (Feather)",
    ".ipc": "Arrow IPC (Feather)",
    ".orc": "ORC",
}


@dataclass(frozen=True)
class Contents:
    """What a file holds: a columnar format, text (perhaps compressed), or nothing."""

    kind: Kind
    compression: Compression | None = None

    @property
    def is_columnar(self) -> bool:
        """Whether the file holds typed columns."""
        return self.kind not in {"text", "empty"}

    @property
    def title(self) -> str:
        """The name of the format, for messages."""
        return _TITLES[self.kind]


def contents_of(file: AnyPath) -> Contents:
    """Recognise a file by its first bytes, whatever its name; compressed text by what is inside.

    Raises:
        DataError: the file is missing or not readable; it holds a format that is not read, such as xlsx or Avro; or
            its name promises a columnar format that it does not hold.
    """
    head = _head(file)
    compression = compression_of_bytes(head)
    if compression is not None:
        _refuse_foreign(file, head)
        return _compressed(file, compression)
    found = _columnar(head)
    if found is None:
        _refuse_foreign(file, head)
    if (promised := _COLUMNAR_SUFFIXES.get(file.suffix.lower())) is not None and found is None:
        what = "it is empty" if not head else "its first bytes are not those of one"
        raise DataError(f"{file} must be a readable {promised} file, but {what}; write it again, or rename it")
    if found is not None:
        return Contents(found)
    return Contents("text" if head else "empty")


def is_columnar_name(file: AnyPath) -> bool:
    """Tell from the name of a file whether it is to hold typed columns.

    Example:
        >>> from pathlib import Path
        >>> is_columnar_name(Path("a.feather")), is_columnar_name(Path("a.csv"))
        (True, False)
    """
    return file.suffix.lower() in _COLUMNAR_SUFFIXES


def _compressed(file: AnyPath, compression: Compression) -> Contents:
    try:
        with CompressedFile(file, compression) as stored:
            head = stored.read(_HEAD_BYTES)
    except OSError:
        return Contents("text", compression)  # damaged: the reader says how far it can be read
    inner = _columnar(head)
    nested = compression_of_bytes(head)
    if inner is not None or nested is not None:
        what = f"{_TITLES[inner]} data" if inner is not None else f"{nested} data"
        raise DataError(f"{file} must hold text in its {compression} stream, but holds {what}; decompress it once")
    _refuse_foreign(file, head)
    return Contents("text" if head else "empty", compression)


def _columnar(head: bytes) -> Kind | None:
    return next((kind for magic, kind in _MAGIC if head.startswith(magic) and not _is_odd_text(head, magic)), None)


def _is_odd_text(head: bytes, magic: bytes) -> bool:
    """Tell whether a file that begins like a columnar one is text: a CSV header may begin with ORC or PAR1."""
    if magic not in {b"ORC", b"PAR1", b"ARROW1"}:
        return False
    first_line = head.split(b"\n", 1)[0].rstrip(b"\r").replace(b"\t", b" ")
    return len(first_line) > len(magic) and first_line.isascii() and first_line.decode().isprintable()


def _refuse_foreign(file: AnyPath, head: bytes) -> None:
    found = foreign_format(file, head)
    if found is not None:
        raise DataError(
            f"{file} must be CSV text, Parquet, Arrow IPC (Feather) or ORC, but is {found.title}; {found.advice}"
        )


def _head(file: AnyPath) -> bytes:
    try:
        return head_of(file, _HEAD_BYTES)
    except FileNotFoundError:
        raise DataError(f"{file} must be a readable file, but it does not exist") from None
    except PermissionError:
        raise DataError(f"{file} must be a readable file, but permission is denied") from None
    except IsADirectoryError:
        raise DataError(f"{file} must be a file, but it is a folder") from None
    except OSError as error:
        raise DataError(f"{file} must be a readable file, but {error.strerror or error}") from error
