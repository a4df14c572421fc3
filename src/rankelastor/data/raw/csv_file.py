"""Read CSV files in pieces through Arrow's streaming reader: multi-threaded, strict, text as it stands."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from rankelastor.data.raw.column_names import quoted, require_columns, require_different
from rankelastor.data.raw.csv_mistakes import explained, refuse_unterminated_quote
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import READ_AHEAD, CsvStream, first_record, holds_rows, parsed_batches
from rankelastor.errors import DataError

_logger = logging.getLogger(__name__)

_BEYOND_64_BITS = 2.0**63
_NO_HEADER = "if the first line is no header, set csv.header to false and name the columns in csv.columns"


def column_names(file: Path, settings: CsvSettings, *, may_lack: Collection[str] = ()) -> tuple[str, ...]:
    """The columns of a CSV file: its first line, or ``csv.columns`` where it has no header.

    Args:
        file: the file.
        settings: how it is written.
        may_lack: names of ``csv.columns`` that are left out, with a warning, where the first line has as many cells
            fewer.

    Raises:
        DataError: the file cannot be read, is empty though it must have a header, names a column twice, or has a
            header where none was declared.
    """
    with explained(file, settings):
        first = first_record(file, settings)
    if settings.columns is None:
        if first is None:
            raise DataError(f"{file} must hold rows, but it is empty")
        require_different(first, file, advice=f"rename one; {_NO_HEADER}")
        return first
    names = settings.columns
    if first is None:
        return names
    if set(first) & set(names) and set(first) <= set(names):
        raise DataError(
            f"{file} must have no header (csv.header is false), but its first line holds the column names "
            f"{quoted(first, at_most=5)}; set csv.header to true and leave csv.columns out"
        )
    lacking = [name for name in names if name in may_lack]
    if lacking and len(first) == len(names) - len(lacking):
        _logger.warning(
            "%s has %d cells a row, csv.columns names %d: taken to lack %s",
            file, len(first), len(names), ", ".join(f"`{name}`" for name in lacking),
        )  # fmt: skip
        return tuple(name for name in names if name not in lacking)
    return names


def read_batches(
    file: Path,
    settings: CsvSettings,
    columns: Collection[str] | None,
    *,
    distinct: Collection[str],
    numbers: Collection[str],
    may_lack: Collection[str],
    allow_empty: bool,
    read_bytes: int,
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield record batches of text columns and the position in the file; see ``raw_rows.read_rows``."""
    names = column_names(file, settings, may_lack=may_lack)
    if columns is not None:
        require_columns(names, columns, file, advice=_header_advice(settings, names, columns))
    wanted = [name for name in names if columns is None or name in set(columns)]
    encoded = pa.dictionary(pa.int32(), pa.string())
    types = {name: encoded if name in set(distinct) else pa.string() for name in wanted}
    with explained(file, settings, names):
        if allow_empty and not holds_rows(file, settings):
            yield pa.RecordBatch.from_pylist([], schema=pa.schema(types)), file.stat().st_size
            return
        plain = {name: pa.float64() for name in wanted if name in set(numbers) - set(distinct)}
        num_read = 0
        try:
            for batch, position in _read(file, settings, names, types | plain, read_bytes):
                _require_plain_numbers(batch, plain)
                yield batch, position
                num_read += 1
        except _OddNumberError:
            yield from islice(_read(file, settings, names, types, read_bytes), num_read, None)


class _OddNumberError(Exception):
    """A column of numbers holds something that must be looked at as text."""


def _read(
    file: Path, settings: CsvSettings, names: tuple[str, ...], types: dict[str, pa.DataType], read_bytes: int
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batches of a file. The same ``read_bytes`` cut it into the same batches, whatever the types."""
    last, num_rows = None, 0
    with CsvStream(file, quote=settings.quote, read_ahead=READ_AHEAD) as stream:
        try:
            batches = parsed_batches(
                stream, settings, names, column_types=types, read_bytes=read_bytes, blanks=settings.blanks
            )
            for last, position in _with_positions(batches, stream):
                num_rows += last.num_rows
                yield last, position
        except pa.ArrowInvalid as error:
            if "conversion error to double" in str(error):
                raise _OddNumberError from error
            raise
    if last is not None:
        refuse_unterminated_quote(last, num_rows, stream, settings, names)


def _require_plain_numbers(batch: pa.RecordBatch, columns: Collection[str]) -> None:
    """Integers from 2**63 on may be ids, NaN and infinity are no numbers here: all three need their text."""
    for name in columns:
        numbers = batch.column(name).fill_null(0.0).to_numpy()
        if not np.abs(numbers).max(initial=0.0) < _BEYOND_64_BITS:  # nor is NaN
            raise _OddNumberError


def _with_positions(batches: Iterable[pa.RecordBatch], stream: CsvStream) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batches that hold rows, each with the end of the block that Arrow made it of; the last with the file's."""
    held: tuple[pa.RecordBatch, int] | None = None
    for num_blocks, batch in enumerate(batches, start=1):
        if not batch.num_rows:
            continue
        if held is not None:
            yield held
        held = batch, stream.position_after(num_blocks)
    if held is not None:
        yield held[0], stream.position


def _header_advice(settings: CsvSettings, names: tuple[str, ...], needed: Collection[str]) -> str:
    if settings.header and not set(names) & set(needed):
        return _NO_HEADER
    return ""
