"""Raw rows of one file, read in pieces of bounded size: columns stay Arrow from the file to the tensors."""

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
    """Some rows of a file as Arrow columns, and where they stand, so that a message can name the row.

    ``first_row`` is the number of the first of them in the file; rows count from 1, the header does not count.
    ``bytes_read`` tells how far into the file (as stored, compressed or not) reading has come.

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
        """Number of rows held here."""
        return int(self.table.num_rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The column names."""
        return tuple(self.table.schema.names)

    def column(self, name: str) -> pa.Array:
        """One column as it was read: text, dictionary-encoded text, or a Parquet type."""
        return self.table.column(name)

    def row_number(self, index: int) -> int:
        """The number within the file of the row at ``index`` here."""
        return self.first_row + index


def is_parquet(file: Path) -> bool:
    """Whether the file's name says Parquet; everything else is read as CSV."""
    return file.suffix.lower() in {".parquet", ".pq"}


def column_names(file: str | Path, csv: CsvSettings) -> tuple[str, ...]:
    """The names of the columns that a file has, from its header, its schema, or ``csv.columns``.

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
    """Read a CSV or Parquet file piece by piece.

    Args:
        file: the file; its name tells the format and the compression (``.parquet``, ``.csv.gz``, ``.tsv.zst``).
        csv: how CSV files are written.
        columns: the columns to read; None reads all.
        distinct: CSV columns to read dictionary-encoded: quick where values repeat. All others are read as text.
        numbers: CSV columns to read as float64, with nulls for blanks, as long as all their cells are plain numbers
            within 64 bits; from the first piece that holds anything else they are read as text, so that it can be
            judged and shown as it stands.
        may_lack: columns that rows to be scored need not have (labels and weight): where ``csv.columns`` names the
            columns and the file has as many cells fewer, these names are left out, with a warning.
        allow_empty: a file that has columns but no rows (only a header; nothing, where ``csv.columns`` names the
            columns; a Parquet table of no rows) yields one piece of no rows that has the columns. Otherwise it yields
            nothing or is refused.
        read_bytes: size of a piece. The longest row must be shorter.

    Raises:
        DataError: with file and row: a column is missing, a row has too many or too few cells, the text is no UTF-8,
            the compressed stream is cut off, the file is no Parquet.
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
