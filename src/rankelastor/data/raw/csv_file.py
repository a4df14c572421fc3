"""Read CSV files in pieces with the streaming reader of Arrow: multi-threaded, strict, without type inference."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

import numpy as np
import pyarrow as pa

from rankelastor.data.raw.column_names import quote_names, require_columns, require_different
from rankelastor.data.raw.csv_mistakes import explain_csv_errors, refuse_unterminated_quote
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import READ_AHEAD, CsvStream, first_record, holds_rows, parse_batches
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath

_logger = logging.getLogger(__name__)

_BEYOND_64_BITS = 2.0**63
_NO_HEADER = "if the first line is not a header, set csv.header to false and name the columns in csv.columns"


def column_names(file: AnyPath, settings: CsvSettings, *, may_lack: Collection[str] = ()) -> tuple[str, ...]:
    """Read the column names of a CSV file: its first line, or ``csv.columns`` if it has no header.

    Args:
        file: the file.
        settings: the format of the file.
        may_lack: names of ``csv.columns`` that the file may lack: they are omitted, with a warning, if the first line
            has exactly that number of cells fewer.

    Raises:
        DataError: the file cannot be read, is empty though it must have a header, names a column twice, or has a
            header where none was declared.
    """
    with explain_csv_errors(file, settings):
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
            f"{quote_names(first, at_most=5)}; set csv.header to true and leave csv.columns out"
        )
    lacking = [name for name in names if name in may_lack]
    if lacking and len(first) == len(names) - len(lacking):
        _logger.warning(
            "%s has %d cells per row, but csv.columns names %d: it is assumed to lack %s",
            file, len(first), len(names), ", ".join(f"`{name}`" for name in lacking),
        )  # fmt: skip
        return tuple(name for name in names if name not in lacking)
    return names


def read_batches(
    file: AnyPath,
    settings: CsvSettings,
    columns: Collection[str] | None,
    *,
    distinct: Collection[str],
    numbers: Collection[str],
    may_lack: Collection[str],
    allow_empty: bool,
    read_bytes: int,
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield record batches of text columns and the position in the file; see ``rows.read_rows``."""
    names = column_names(file, settings, may_lack=may_lack)
    if columns is not None:
        require_columns(names, columns, file, advice=_header_advice(settings, names, columns))
    wanted = [name for name in names if columns is None or name in set(columns)]
    encoded = pa.dictionary(pa.int32(), pa.string())
    types = {name: encoded if name in set(distinct) else pa.string() for name in wanted}
    with explain_csv_errors(file, settings, names):
        if allow_empty and not holds_rows(file, settings):
            yield pa.RecordBatch.from_pylist([], schema=pa.schema(types)), file.stat().st_size
            return
        reads_plain = settings.decimal == "." and settings.thousands is None
        plain = {name: pa.float64() for name in wanted if reads_plain and name in set(numbers) - set(distinct)}
        num_read = 0
        try:
            for batch, position in _read(file, settings, names, types | plain, read_bytes):
                _require_plain_numbers(batch, plain)
                yield batch, position
                num_read += 1
        except _OddNumberError:
            yield from islice(_read(file, settings, names, types, read_bytes), num_read, None)


class _OddNumberError(Exception):
    """A column of numbers holds a cell that must be read as text."""


def _read(
    file: AnyPath, settings: CsvSettings, names: tuple[str, ...], types: dict[str, pa.DataType], read_bytes: int
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield the batches of a file. Their borders depend on ``read_bytes`` and not on the types."""
    last, num_rows = None, 0
    with CsvStream(file, quote=settings.quote, read_ahead=READ_AHEAD) as stream:
        try:
            batches = parse_batches(
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
    """Raise if a number needs its text: an integer of 2**63 or more, which may be an id, NaN, or infinity."""
    for name in columns:
        numbers = batch.column(name).fill_null(0.0).to_numpy()
        if not np.abs(numbers).max(initial=0.0) < _BEYOND_64_BITS:  # also true for NaN
            raise _OddNumberError


def _with_positions(batches: Iterable[pa.RecordBatch], stream: CsvStream) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield each batch that has rows with the end position of its block; the last one with the end of the file."""
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
