"""Read files of typed columns (Parquet, Arrow IPC and Feather, ORC) in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import pyarrow as pa

from rankelastor.data.raw import arrow_file, orc_file, parquet_file
from rankelastor.data.raw.arrow_layouts import plain_schema, with_plain_layouts
from rankelastor.data.raw.column_names import require_columns, require_different
from rankelastor.data.raw.contents import Kind, contents_of
from rankelastor.data.raw.parquet_texts import require_utf8
from rankelastor.errors import DataError
from rankelastor.remote.failures import explain_native
from rankelastor.remote.remote_path import AnyPath


class ColumnReader(Protocol):
    """An open file of typed columns.

    Attributes:
        schema: names and types of the columns.
        num_rows: number of rows; None if only reading all of the file tells.
    """

    schema: pa.Schema
    num_rows: int | None

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns in pieces of bounded size; empty pieces may occur."""
        ...


_READERS: dict[Kind, Callable[[AnyPath], AbstractContextManager[ColumnReader]]] = {
    "parquet": parquet_file.open_columns,
    "arrow_file": arrow_file.open_columns,
    "arrow_stream": arrow_file.open_stream_columns,
    "orc": orc_file.open_columns,
}


def column_names(file: AnyPath) -> tuple[str, ...]:
    """Read the column names of a file of typed columns.

    Raises:
        DataError: the file cannot be read, or names a column twice.
    """
    with _open(file) as reader:
        names = tuple(reader.schema.names)
    require_different(names, file)
    return names


def column_types(file: AnyPath, columns: Collection[str]) -> dict[str, pa.DataType]:
    """Read the types of those of ``columns`` that the file has.

    Raises:
        DataError: the file cannot be read.
    """
    with _open(file) as reader:
        return {field.name: field.type for field in plain_schema(reader.schema) if field.name in set(columns)}


def holds_rows(file: AnyPath) -> bool:
    """Tell whether a file of typed columns has a row.

    Raises:
        DataError: the file cannot be read.
    """
    with _open(file) as reader:
        if reader.num_rows is not None:
            return reader.num_rows > 0
        return any(batch.num_rows for batch in reader.batches(list(reader.schema.names)))


def read_batches(
    file: AnyPath, columns: Collection[str] | None, *, allow_empty: bool
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield record batches and an estimate of the bytes of the file read so far.

    A file without rows yields nothing or, with ``allow_empty``, one empty batch.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds text that is not UTF-8.
    """
    names = column_names(file)
    if columns is not None:
        require_columns(names, columns, file)
    wanted = [name for name in names if columns is None or name in set(columns)]
    size, num_read = file.stat().st_size, 0
    with _open(file) as reader:
        for batch, is_last in _mark_last(filter(len, reader.batches(wanted))):
            require_utf8(batch, file, num_read + 1)
            num_read += batch.num_rows
            yield (
                with_plain_layouts(batch),
                size if is_last else size * num_read // (reader.num_rows or size * num_read),
            )
        if not num_read and allow_empty:
            schema = plain_schema(pa.schema([reader.schema.field(name) for name in wanted]))
            yield pa.RecordBatch.from_pylist([], schema=schema), size


def _mark_last(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Yield each batch, and whether it is the last one."""
    held: pa.RecordBatch | None = None
    for batch in batches:
        if held is not None:
            yield held, False
        held = batch
    if held is not None:
        yield held, True


@contextmanager
def _open(file: AnyPath) -> Iterator[ColumnReader]:
    contents = contents_of(file)
    assert contents.is_columnar, "only files of typed columns come here"
    try:
        with _READERS[contents.kind](file) as reader:
            yield reader
    except UnicodeDecodeError as error:
        raise DataError(f"{file} must have names in UTF-8, but has not: {error}") from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        explain_native(file, error)
        raise DataError(f"{file} must be a readable {contents.title} file, but {error}") from error
