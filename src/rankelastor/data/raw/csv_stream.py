"""Open a CSV file, compressed or not, as a stream for Arrow's reader, and read its first record."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
import pyarrow.csv as pacsv

from rankelastor.config.data import CsvSettings
from rankelastor.errors import DataError

_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
_TAIL_BYTES = 16


class NulByteError(OSError):
    """The text holds a NUL byte: it is binary, damaged, or UTF-16."""


class CsvStream(io.RawIOBase):
    """The decompressed bytes of a file.

    ``position`` tells how many stored bytes have been read; ``tail`` is the last few decompressed bytes.
    """

    def __init__(self, file: Path, *, allow_nul: bool = False) -> None:
        super().__init__()
        self.file = file
        self._stored = pa.OSFile(str(file))
        compression = _COMPRESSION.get(file.suffix.lower())
        self._text = pa.CompressedInputStream(self._stored, compression) if compression else self._stored
        self._allow_nul = allow_nul
        self.position = 0
        self.tail = b""

    def readable(self) -> bool:
        """True: it is there to be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next decompressed bytes, ``size`` at most."""
        data: bytes = self._text.read(None if size < 0 else size)
        if not self._allow_nul and b"\0" in data:
            raise NulByteError(f"{self.file} holds a NUL byte")
        self.position = self._stored.tell()
        self.tail = (self.tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer
        """Fill ``buffer`` as far as there are bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._text.close()
            self._stored.close()
        super().close()

    def __enter__(self) -> Self:
        return self


def delimiter_of(file: Path, settings: CsvSettings) -> str:
    r"""The delimiter that the settings declare; otherwise a tab for ``.tsv`` and a comma for all others.

    Example:
        >>> delimiter_of(Path("log.tsv.gz"), CsvSettings()), delimiter_of(Path("log.csv"), CsvSettings())
        ('\t', ',')
    """
    if settings.delimiter is not None:
        return settings.delimiter
    return "\t" if ".tsv" in (suffix.lower() for suffix in file.suffixes) else ","


def first_record(file: Path, settings: CsvSettings) -> tuple[str, ...]:
    """The cells of the first line that is not empty: the header, if there is one.

    Raises:
        DataError: the file is empty or its start is no UTF-8 text.
    """
    delimiter = delimiter_of(file, settings)
    try:
        with (
            CsvStream(file, allow_nul=True) as stream,
            io.TextIOWrapper(
                io.BufferedReader(stream), encoding="utf-8-sig", errors="surrogateescape", newline=""
            ) as text,
        ):
            records = csv.reader(text, delimiter=delimiter, quotechar=settings.quote, quoting=_quoting(settings))
            record = next((tuple(record) for record in records if record), None)
    except csv.Error as error:
        raise DataError(f"{file} must be CSV text, but its first line is not: {error}; check csv.quote") from error
    if record is None:
        raise DataError(f"{file} must hold rows, but it is empty")
    if any("\0" in cell or not _is_text(cell) for cell in record):
        raise DataError(f"{file} must be UTF-8 text, but its first line is not; convert the file to UTF-8")
    return record


def _quoting(settings: CsvSettings) -> Literal[0, 3]:
    return csv.QUOTE_NONE if settings.quote is None else csv.QUOTE_MINIMAL


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 were read as lone surrogates
        return False
    return True


def open_reader(
    stream: CsvStream,
    settings: CsvSettings,
    names: tuple[str, ...],
    *,
    column_types: dict[str, pa.DataType],
    read_bytes: int,
    parallel: bool = True,
    invalid_row_handler: Callable[[pacsv.InvalidRow], str] | None = None,
) -> pacsv.CSVStreamingReader:
    """Arrow's streaming reader of the columns that ``column_types`` names.

    Without ``parallel``, Arrow counts rows, so that ``invalid_row_handler`` hears their number.
    """
    return pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(
            block_size=read_bytes, use_threads=parallel, column_names=None if settings.header else list(names)
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter_of(stream.file, settings),
            quote_char=settings.quote or False,
            double_quote=settings.quote is not None,
            newlines_in_values=settings.quote is not None,
            invalid_row_handler=invalid_row_handler,
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(column_types), column_types=column_types, strings_can_be_null=False
        ),
    )
