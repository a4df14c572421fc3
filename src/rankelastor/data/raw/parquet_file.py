"""Read Parquet files in batches, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from rankelastor.remote.remote_path import AnyPath, RemotePath

BATCH_ROWS = 65_536
"""Largest number of rows per piece."""

PIECE_BYTES = 16 << 20
"""Approximate largest uncompressed size of a piece: pieces of long lists and texts have fewer rows."""

_BYTES_PER_VALUE = 4
"""Smallest size of a list element in memory, even if the file stores it in a few bits."""

_MOST_SAMPLES = 16
"""Row groups that are measured."""


class ParquetColumns:
    """The columns of a Parquet file. Memory holds a piece of one row group."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self.schema: pa.Schema = file.schema_arrow
        self.num_rows: int | None = file.metadata.num_rows

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns in pieces."""
        if self.num_rows:
            size = _rows_of_a_piece(self._file, columns)
            yield from self._file.iter_batches(batch_size=size, columns=columns)


@contextmanager
def open_columns(file: AnyPath) -> Iterator[ParquetColumns]:
    """Open a Parquet file."""
    if isinstance(file, RemotePath):
        with file.random_access() as stored, pq.ParquetFile(stored) as parquet:
            yield ParquetColumns(parquet)
        return
    with pq.ParquetFile(file) as parquet:
        yield ParquetColumns(parquet)


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
