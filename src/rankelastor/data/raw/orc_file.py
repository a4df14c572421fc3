"""Read ORC files stripe by stripe, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyarrow import orc

from rankelastor.data.raw.arrow_file import pieces
from rankelastor.data.raw.orc_probe import require_survivable
from rankelastor.remote.remote_path import AnyPath, RemotePath


class OrcColumns:
    """The columns of an ORC file. Memory holds one stripe, which writers limit to 64 MiB by default."""

    def __init__(self, file: orc.ORCFile) -> None:
        self._file = file
        self.schema: pa.Schema = file.schema
        self.num_rows: int | None = file.nrows

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some columns in pieces."""
        for index in range(self._file.nstripes):
            yield from pieces(self._file.read_stripe(index, columns=columns).select(columns))


@contextmanager
def open_columns(file: AnyPath) -> Iterator[OrcColumns]:
    """Open an ORC file."""
    require_survivable(file)
    with _stored(file) as stored:
        yield OrcColumns(orc.ORCFile(stored))


def _stored(file: AnyPath) -> pa.NativeFile:
    return file.random_access() if isinstance(file, RemotePath) else pa.OSFile(str(file))
