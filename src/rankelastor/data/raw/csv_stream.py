"""Open a CSV file, compressed or not, as a stream for Arrow's reader, and read its first record."""

from __future__ import annotations

import codecs
import csv
import io
import threading
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
import pyarrow.csv as pacsv

from rankelastor.data.raw.compression import CompressedFile
from rankelastor.data.raw.contents import contents_of
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath

_TAIL_BYTES = 1 << 16
_PATIENCE_SECONDS = 0.1
_MARK_BYTES = 4

READ_BYTES = 8 << 20
"""Number of bytes of text read and staged at a time; every row must be shorter."""

READ_AHEAD = 6
"""Largest number of blocks read ahead. Arrow by itself reads dozens of blocks ahead."""


class NulByteError(OSError):
    """The text holds a NUL byte: it is binary, damaged, or UTF-16."""


class CsvStream(io.RawIOBase):
    """Stream of the decompressed bytes of a file, at most ``read_ahead`` reads ahead of ``mark_consumed``.

    ``position`` is the number of stored bytes read so far, ``positions`` that after each ``read``: Arrow reads blocks
    ahead of the one that it parses, in its own thread. ``tail`` holds the last few decompressed bytes,
    ``num_quotes`` counts the byte ``quote``. More than ``most_bytes`` decompressed bytes are an error: a small file can
    hold a line of many gigabytes.
    """

    def __init__(
        self,
        file: AnyPath,
        *,
        allow_nul: bool = False,
        quote: str | None = None,
        read_ahead: float = float("inf"),
        most_bytes: float = float("inf"),
    ) -> None:
        super().__init__()
        self.file = file
        self._read_ahead = read_ahead
        self.num_quotes = 0
        self._quote = quote.encode() if quote else None
        self._num_taken: float = 0
        self._turn = threading.Condition()
        self._text = CompressedFile(file, contents_of(file).compression)
        self._allow_nul = allow_nul
        self._bytes_left = most_bytes
        self.positions = [0]
        self.tail = b""

    @property
    def delimiter_name(self) -> AnyPath:
        """The name that tells the delimiter: that of the file, or of the file in its zip archive."""
        member = Path(self._text.text_name)
        return member if ".tsv" in (suffix.lower() for suffix in member.suffixes) else self.file

    @property
    def position(self) -> int:
        """Number of stored bytes read so far."""
        return self.positions[-1]

    def position_after(self, num_reads: int) -> int:
        """Return the number of stored bytes that the first ``num_reads`` calls of ``read`` took."""
        return self.positions[min(num_reads, len(self.positions) - 1)]

    def mark_consumed(self, num_reads: int) -> None:
        """Mark the first ``num_reads`` reads as consumed, which allows more of them ahead."""
        with self._turn:
            self._num_taken = max(self._num_taken, num_reads)
            self._turn.notify_all()

    def readable(self) -> bool:
        """Return True, as a stream to read must."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` decompressed bytes."""
        self._wait_for_the_consumer()
        data: bytes = self._text.read(None if size < 0 else size)
        if not self._allow_nul and b"\0" in data:
            raise NulByteError(f"{self.file} holds a NUL byte")
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise DataError(
                f"{self.file} must have rows of less than {READ_BYTES >> 20} MiB, but its first lines have more; is it "
                "a text file with one row per line?"
            )
        self.positions.append(self._text.position)
        self.tail = (self.tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        if self._quote is not None and self._quote in data:  # looking is many times as fast as counting
            self.num_quotes += data.count(self._quote)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer
        """Read bytes into ``buffer``; return their number."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            with self._turn:
                self._num_taken = float("inf")
                self._turn.notify_all()
            self._text.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def _wait_for_the_consumer(self) -> None:
        """Wait while too much is read ahead; the timeout makes sure that a miscount cannot block forever."""
        with self._turn:
            self._turn.wait_for(
                lambda: len(self.positions) - 1 - self._num_taken < self._read_ahead, timeout=_PATIENCE_SECONDS
            )


def delimiter_of(file: AnyPath, settings: CsvSettings) -> str:
    r"""Return the delimiter of the settings; by default a tab for ``.tsv`` and a comma for other files.

    Example:
        >>> delimiter_of(Path("log.tsv.gz"), CsvSettings()), delimiter_of(Path("log.csv"), CsvSettings())
        ('\t', ',')
    """
    if settings.delimiter is not None:
        return settings.delimiter
    return "\t" if ".tsv" in (suffix.lower() for suffix in file.suffixes) else ","


def first_record(file: AnyPath, settings: CsvSettings) -> tuple[str, ...] | None:
    """Read the cells of the first non-empty line (the header, if there is one); None if all lines are empty.

    Raises:
        DataError: the start of the file is not UTF-8 text.
    """
    try:
        records = _first_records(file, settings, at_most=1)
    except csv.Error as error:
        raise DataError(f"{file} must be CSV text, but its first line is not: {error}; check csv.quote") from error
    if not records:
        return None
    if any("\0" in cell or not _is_text(cell) for cell in records[0]):
        what = f"it is {_wide_encoding(file)}" if _wide_encoding(file) else "its first line is not"
        raise DataError(f"{file} must be UTF-8 text, but {what}; convert the file to UTF-8")
    return records[0]


def holds_rows(file: AnyPath, settings: CsvSettings) -> bool:
    """Tell whether the file has a non-empty line besides the header."""
    needed = 2 if settings.header else 1
    try:
        return len(_first_records(file, settings, at_most=needed)) == needed
    except csv.Error:  # there is text, and reading it will raise an error that explains it
        return True


def _first_records(file: AnyPath, settings: CsvSettings, *, at_most: int) -> list[tuple[str, ...]]:
    """Read the first non-empty lines. Bytes that are not UTF-8 become lone surrogates."""
    with (
        CsvStream(file, allow_nul=True, most_bytes=at_most * READ_BYTES) as stream,
        io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", errors="surrogateescape", newline="") as text,
    ):
        records = csv.reader(
            _lines(text),
            delimiter=delimiter_of(stream.delimiter_name, settings),
            quotechar=settings.quote,
            quoting=_quoting(settings),
        )
        return list(islice((tuple(record) for record in records if record), at_most))


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text; a longer one than a row may be is refused before it fills the memory."""
    while line := text.readline(READ_BYTES):
        if len(line) == READ_BYTES:
            raise csv.Error(f"it is longer than {READ_BYTES >> 20} MiB")
        yield line


def _quoting(settings: CsvSettings) -> Literal[0, 3]:
    return csv.QUOTE_NONE if settings.quote is None else csv.QUOTE_MINIMAL


def _wide_encoding(file: AnyPath) -> str | None:
    """Name the encoding that the first bytes of a file announce."""
    with CsvStream(file, allow_nul=True) as stream:
        head = stream.read(_MARK_BYTES)
    marks = {"UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)}
    return next((name for name, starts in marks.items() if head.startswith(starts)), None)


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8 were read as lone surrogates
        return False
    return True


def parse_batches(
    stream: CsvStream,
    settings: CsvSettings,
    names: tuple[str, ...],
    *,
    column_types: dict[str, pa.DataType],
    read_bytes: int = READ_BYTES,
    parallel: bool = True,
    blanks: Collection[str] = (),
    invalid_row_handler: Callable[[pacsv.InvalidRow], str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Parse the columns in ``column_types`` with the streaming reader of Arrow, one (possibly empty) batch per block.

    ``blanks`` are null in columns of numbers.

    Without ``parallel``, Arrow counts rows and passes the row number to ``invalid_row_handler``.
    """
    reader = pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(
            block_size=read_bytes, use_threads=parallel, column_names=None if settings.header else list(names)
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter_of(stream.delimiter_name, settings),
            quote_char=settings.quote or False,
            double_quote=settings.quote is not None,
            newlines_in_values=settings.quote is not None,
            invalid_row_handler=invalid_row_handler,
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(column_types),
            column_types=column_types,
            strings_can_be_null=False,
            null_values=["", *blanks],
        ),
    )
    for num_batches, batch in enumerate(reader, start=1):
        stream.mark_consumed(num_batches)
        yield batch
