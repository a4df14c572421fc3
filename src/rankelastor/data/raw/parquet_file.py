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

_SAMPLE_ROWS = 64
_MOST_SAMPLES = 8
"""Row groups of which the first rows are measured."""


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
    """Estimate the number of rows at which a piece has about ``PIECE_BYTES``.

    Sizes of single columns are not asked for: in a damaged file, pyarrow's way to them ends the process.
    """
    metadata = parquet.metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    stored = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0.0)
    share = len(wanted) / max(1, len(parquet.schema_arrow.names))
    step = -(-len(groups) // _MOST_SAMPLES)
    samples = (_bytes_per_row(parquet, index, wanted) for index in range(0, len(groups), step))
    return max(1, min(BATCH_ROWS, int(PIECE_BYTES / max(1.0, stored * share, *samples))))


def _bytes_per_row(parquet: pq.ParquetFile, group: int, wanted: list[str]) -> float:
    """Measure the bytes in memory of the first rows of a row group, per row."""
    batches = parquet.iter_batches(batch_size=_SAMPLE_ROWS, row_groups=[group], columns=wanted)
    batch = next(batches, None)
    return batch.nbytes / batch.num_rows if batch is not None and batch.num_rows else 0.0


@contextmanager
def _explain_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{file} must have names in UTF-8, but has not: {error}") from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} must be a readable Parquet file, but {error}") from error
