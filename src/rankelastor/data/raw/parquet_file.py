"""Read Parquet files in batches, row group by row group."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rankelastor.data.raw.column_names import require_columns, require_different
from rankelastor.data.raw.parquet_texts import require_utf8
from rankelastor.errors import DataError

BATCH_ROWS = 65_536
"""Largest number of rows per piece."""

PIECE_BYTES = 16 << 20
"""Approximate largest uncompressed size of a piece: pieces of long lists and texts have fewer rows."""

_BYTES_PER_VALUE = 4
"""Smallest size of a list element in memory, even if the file stores it in a few bits."""

_MOST_SAMPLES = 16
"""Row groups that are measured."""


def column_names(file: Path) -> tuple[str, ...]:
    """Read the column names of a Parquet file.

    Raises:
        DataError: the file cannot be read or is not Parquet.
    """
    with _explain_errors(file), pq.ParquetFile(file) as parquet:
        names = tuple(parquet.schema_arrow.names)
    require_different(names, file)
    return names


def column_types(file: Path, columns: Collection[str]) -> dict[str, pa.DataType]:
    """Read the types of those of ``columns`` that the file has.

    Raises:
        DataError: the file cannot be read or is not Parquet.
    """
    with _explain_errors(file), pq.ParquetFile(file) as parquet:
        return {field.name: field.type for field in parquet.schema_arrow if field.name in set(columns)}


def read_batches(
    file: Path, columns: Collection[str] | None, *, allow_empty: bool
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield record batches and an estimate of the bytes of the file read so far.

    A file without rows yields nothing or, with ``allow_empty``, one empty batch.

    Raises:
        DataError: the file cannot be read, is not Parquet, lacks a column, or holds text that is not UTF-8.
    """
    names = column_names(file)
    if columns is not None:
        require_columns(names, columns, file)
    wanted = names if columns is None else [name for name in names if name in set(columns)]
    with _explain_errors(file), pq.ParquetFile(file) as parquet:
        size, num_rows, rows_read = file.stat().st_size, parquet.metadata.num_rows, 0
        if not num_rows:
            if allow_empty:
                schema = pa.schema([parquet.schema_arrow.field(name) for name in wanted])
                yield pa.RecordBatch.from_pylist([], schema=schema), size
            return
        batches = parquet.iter_batches(batch_size=_rows_of_a_piece(parquet, list(wanted)), columns=list(wanted))
        for batch in batches:
            require_utf8(batch, file, rows_read + 1)
            rows_read += batch.num_rows
            yield batch, size * rows_read // num_rows


def _rows_of_a_piece(parquet: pq.ParquetFile, wanted: list[str]) -> int:
    """Compute the number of rows at which a piece of the widest row group has about ``PIECE_BYTES``; of many, some."""
    num_groups = parquet.metadata.num_row_groups
    sampled = range(0, num_groups, -(-num_groups // _MOST_SAMPLES) or 1)
    widest = max((_bytes_per_row(parquet, group, wanted) for group in sampled), default=1.0)
    return max(1, min(BATCH_ROWS, int(PIECE_BYTES / max(1.0, widest))))


def _bytes_per_row(parquet: pq.ParquetFile, group: int, wanted: list[str]) -> float:
    """Compute the bytes in memory per row of a row group.

    A row of the columns is read first: in a damaged file, that is an error, while asking for the sizes of a column that
    was not read ends the process.
    """
    for _ in parquet.iter_batches(batch_size=1, row_groups=[group], columns=wanted):
        break
    metadata, names = parquet.metadata.row_group(group), set(wanted)
    paths = (parquet.schema.column(index).path for index in range(len(parquet.schema)))
    # The path of a list extends that of its column, as in "seen.list.element"; names may contain dots too.
    chunks = [
        metadata.column(index) for index, path in enumerate(paths) if path in names or path.rsplit(".", 2)[0] in names
    ]
    # Pages may be dictionary-encoded.
    size = sum(max(chunk.total_uncompressed_size, _BYTES_PER_VALUE * chunk.num_values) for chunk in chunks)
    return float(size / max(1, metadata.num_rows))


@contextmanager
def _explain_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{file} must have names in UTF-8, but has not: {error}") from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} must be a readable Parquet file, but {error}") from error
