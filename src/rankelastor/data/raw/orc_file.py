"""Read ORC files stripe by stripe, in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import orc

from rankelastor.data.raw.arrow_file import pieces
from rankelastor.data.raw.orc_probe import require_survivable


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
def open_columns(file: Path) -> Iterator[OrcColumns]:
    """Open an ORC file."""
    require_survivable(file)
    with pa.OSFile(str(file)) as stored:
        yield OrcColumns(orc.ORCFile(stored))
