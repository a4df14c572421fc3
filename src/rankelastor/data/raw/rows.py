"""Raw rows of one file as Arrow columns, read in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from rankelastor.data.raw import csv_file, parquet_file
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import READ_BYTES


@dataclass(frozen=True)
class RawRows:
    """Some rows of a file as Arrow columns, with their position in it, so that a message can name the row.

    ``first_row`` is the number of the first of them in the file, counted from 1 without the header.
    ``bytes_read`` is the number of stored (perhaps compressed) bytes read so far.

    Example:
        >>> batch = pa.RecordBatch.from_pydict({"site": ["a", "b"]})
        >>> rows = RawRows(batch, Path("clicks.csv"), first_row=11)
        >>> rows.num_rows, rows.row_number(1)
        (2, 12)
    """

    table: pa.RecordBatch
    file: Path
    first_row: int = 1
    bytes_read: int = 0

    @property
    def num_rows(self) -> int:
        """Number of rows of this piece."""
        return int(self.table.num_rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The column names."""
        return tuple(self.table.schema.names)

    def column(self, name: str) -> pa.Array:
        """Return a column as it was read: text, dictionary-encoded text, or a Parquet type."""
        return self.table.column(name)

    def row_number(self, index: int) -> int:
        """Return the number in the file of the row at ``index`` of this piece."""
        return self.first_row + index


def is_parquet(file: Path) -> bool:
    """Tell from the name of the file whether it is Parquet; all other files are read as CSV."""
    return file.suffix.lower() in {".parquet", ".pq"}


def column_names(file: str | Path, csv: CsvSettings) -> tuple[str, ...]:
    """Read the column names of a file from its header, its schema, or ``csv.columns``.

    Raises:
        DataError: the file cannot be read, is empty though it must have a header, or names a column twice.
    """
    file = Path(file)
    return parquet_file.column_names(file) if is_parquet(file) else csv_file.column_names(file, csv)


def read_rows(
    file: str | Path,
    csv: CsvSettings,
    columns: Collection[str] | None = None,
    *,
    distinct: Collection[str] = (),
    numbers: Collection[str] = (),
    may_lack: Collection[str] = (),
    allow_empty: bool = False,
    read_bytes: int = READ_BYTES,
) -> Iterator[RawRows]:
    """Read a CSV or Parquet file in pieces.

    Args:
        file: the file; its name determines the format and the compression (``.parquet``, ``.csv.gz``, ``.tsv.zst``).
        csv: the format of CSV files.
        columns: the columns to read; None reads all.
        distinct: CSV columns to read dictionary-encoded, which is fast if values repeat. Others are read as text.
        numbers: CSV columns to read as float64, with nulls for blanks, while all their cells are plain numbers within
            64 bits; from the first piece that holds any other cell they are read as text, so that the cell can be
            checked and shown as written.
        may_lack: columns that the file may lack, as rows to be scored lack labels and weight: if ``csv.columns`` names
            the columns and rows have exactly that number of cells fewer, these names are omitted, with a warning.
        allow_empty: yield one empty piece with the columns for a file without rows (only a header; an empty file, if
            ``csv.columns`` names the columns; an empty Parquet table). Otherwise it yields nothing or is refused.
        read_bytes: size of a piece; every row must be shorter.

    Raises:
        DataError: a column is missing, a row has too many or too few cells, the text is not UTF-8, the compressed
            stream is cut off, or the file is not Parquet; the message names file and row.
    """
    file = Path(file)
    if is_parquet(file):
        batches = parquet_file.read_batches(file, columns, allow_empty=allow_empty)
    else:
        batches = csv_file.read_batches(
            file,
            csv,
            columns,
            distinct=distinct,
            numbers=numbers,
            may_lack=may_lack,
            allow_empty=allow_empty,
            read_bytes=read_bytes,
        )
    first_row = 1
    for batch, bytes_read in batches:
        yield RawRows(batch, file, first_row, bytes_read)
        first_row += batch.num_rows
