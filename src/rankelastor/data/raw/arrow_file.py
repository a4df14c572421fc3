"""Read Arrow IPC files (Feather 2) and streams, one record batch at a time, in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from rankelastor.data.raw.parquet_file import BATCH_ROWS, PIECE_BYTES
from rankelastor.remote.remote_path import AnyPath, mapped


class ArrowColumns:
    """The columns of an Arrow IPC file or stream, one record batch of which is in memory if it is compressed."""

    def __init__(self, file: AnyPath, schema: pa.Schema, *, is_stream: bool) -> None:
        self._file = file
        self._is_stream = is_stream
        self.schema = schema
        self.num_rows: int | None = None  # only the record batches tell

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns in pieces; the others are not decompressed.

        Each record batch is validated in full, since reading offsets and lengths that lie outside of it would end the
        process.
        """
        fields = [self.schema.names.index(name) for name in columns]
        with _open(self._file, is_stream=self._is_stream, fields=fields) as reader:
            if self._is_stream:
                batches = iter(reader)
            else:
                batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
            for batch in batches:
                batch.validate(full=True)
                yield from pieces(batch.select(columns))


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Slice a record batch into pieces of at most ``BATCH_ROWS`` rows and about ``PIECE_BYTES`` bytes.

    Example:
        >>> [piece.num_rows for piece in pieces(pa.RecordBatch.from_pydict({"x": [1] * 70_000}))]
        [65536, 4464]
    """
    bytes_per_row = max(1.0, batch.nbytes / max(1, batch.num_rows))
    num_rows = max(1, min(BATCH_ROWS, int(PIECE_BYTES / bytes_per_row)))
    for start in range(0, batch.num_rows, num_rows):
        yield batch.slice(start, num_rows)


@contextmanager
def open_columns(file: AnyPath) -> Iterator[ArrowColumns]:
    """Open an Arrow IPC file."""
    with _open(file, is_stream=False) as reader:
        schema = reader.schema
    yield ArrowColumns(file, schema, is_stream=False)


@contextmanager
def open_stream_columns(file: AnyPath) -> Iterator[ArrowColumns]:
    """Open an Arrow IPC stream."""
    with _open(file, is_stream=True) as reader:
        schema = reader.schema
    yield ArrowColumns(file, schema, is_stream=True)


@contextmanager
def _open(
    file: AnyPath, *, is_stream: bool, fields: Sequence[int] = ()
) -> Iterator[pa.RecordBatchFileReader | pa.RecordBatchStreamReader]:
    options = pa.ipc.IpcReadOptions(included_fields=list(fields))
    opened = pa.ipc.open_stream if is_stream else pa.ipc.open_file
    with mapped(file) as stored, opened(stored, options=options) as reader:
        yield reader
