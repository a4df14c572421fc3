"""Read Parquet files in batches, row group by row group."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 65_536
"""Largest number of rows per piece."""

PIECE_BYTES = 16 << 20
"""Approximate largest uncompressed size of a piece: pieces of long lists and texts have fewer rows."""

_BYTES_PER_VALUE = 4
"""Smallest size of a list element in memory, even if the file stores it in a few bits."""


class ParquetColumns:
    """The columns of a Parquet file. Memory holds a piece of one row group."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self.schema: pa.Schema = file.schema_arrow
        self.num_rows: int | None = file.metadata.num_rows

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns in pieces."""
        if self.num_rows:
            size = _rows_of_a_piece(self._file.metadata, columns)
            yield from self._file.iter_batches(batch_size=size, columns=columns)


@contextmanager
def open_columns(file: Path) -> Iterator[ParquetColumns]:
    """Open a Parquet file."""
    with pq.ParquetFile(file) as parquet:
        yield ParquetColumns(parquet)


def _rows_of_a_piece(metadata: pq.FileMetaData, columns: Collection[str]) -> int:
    """Compute the number of rows at which a piece of the widest row group has about ``PIECE_BYTES``."""
    wanted = set(columns)
    bytes_per_row = 1.0
    for group in (metadata.row_group(index) for index in range(metadata.num_row_groups)):
        chunks = (group.column(index) for index in range(group.num_columns))
        # The path of a list extends that of its column, as in "seen.list.element"; names may contain dots too.
        size = sum(
            max(chunk.total_uncompressed_size, _BYTES_PER_VALUE * chunk.num_values)  # pages may be dictionary-encoded
            for chunk in chunks
            if chunk.path_in_schema in wanted or chunk.path_in_schema.rsplit(".", 2)[0] in wanted
        )
        bytes_per_row = max(bytes_per_row, size / max(1, group.num_rows))
    return max(1, min(BATCH_ROWS, int(PIECE_BYTES / bytes_per_row)))
