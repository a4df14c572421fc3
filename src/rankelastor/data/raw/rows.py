"""Raw rows of one file as Arrow columns, read in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from rankelastor.data.raw import columnar_file, csv_file
from rankelastor.data.raw.contents import contents_of
from rankelastor.data.raw.csv_mistakes import explain_csv_errors
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import READ_BYTES, first_record
from rankelastor.data.raw.partitions import Partitions, append_partitions, partition_names
from rankelastor.remote.remote_path import AnyPath


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
    file: AnyPath
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


def is_columnar(file: AnyPath) -> bool:
    """Tell from the first bytes of a file whether it holds typed columns; all other files are read as CSV.

    Raises:
        DataError: the file is missing, not readable, or of a format that is not read.
    """
    return contents_of(file).is_columnar


def is_empty(file: AnyPath, csv: CsvSettings) -> bool:
    """Tell whether a file holds nothing to read: no byte, no line (not even a header), or a table without rows.

    A CSV file with a header alone is not empty.

    Raises:
        DataError: the file is missing, not readable, or of a format that is not read.
    """
    contents = contents_of(file)
    if contents.is_columnar:
        return not columnar_file.holds_rows(file)
    with explain_csv_errors(file, csv):
        return contents.kind == "empty" or first_record(file, csv) is None


def column_names(file: str | AnyPath, csv: CsvSettings, *, partitions: Partitions = ()) -> tuple[str, ...]:
    """Read the column names of a file from its header, its schema, or ``csv.columns``; then those of its folders.

    Raises:
        DataError: the file cannot be read, is empty though it must have a header, or names a column twice.
    """
    file = Path(file) if isinstance(file, str) else file
    names = columnar_file.column_names(file) if is_columnar(file) else csv_file.column_names(file, csv)
    return (*names, *partition_names(partitions, names))


def read_rows(
    file: str | AnyPath,
    csv: CsvSettings,
    columns: Collection[str] | None = None,
    *,
    distinct: Collection[str] = (),
    numbers: Collection[str] = (),
    may_lack: Collection[str] = (),
    allow_empty: bool = False,
    read_bytes: int = READ_BYTES,
    partitions: Partitions = (),
) -> Iterator[RawRows]:
    """Read a file of CSV, Parquet, Arrow IPC (Feather) or ORC in pieces; its first bytes tell which it is.

    Args:
        file: the file. CSV may be compressed: gzip, zstd, bz2, lz4, xz, or a zip archive of one file.
        csv: the format of CSV files.
        columns: the columns to read; None reads all.
        distinct: CSV columns to read dictionary-encoded, which is fast if values repeat. Others are read as text.
        numbers: CSV columns to read as float64, with nulls for blanks, while all their cells are plain numbers within
            64 bits; from the first piece that holds any other cell they are read as text, so that the cell can be
            checked and shown as written.
        may_lack: columns that the file may lack, as rows to be scored lack labels and weight: if ``csv.columns`` names
            the columns and rows have exactly that number of cells fewer, these names are omitted, with a warning.
        allow_empty: yield one empty piece with the columns for a file without rows (only a header; an empty file, if
            ``csv.columns`` names the columns; an empty table). Otherwise it yields nothing or is refused.
        read_bytes: size of a piece; every row must be shorter.
        partitions: columns that the folders of the file name; they come last, unless the file holds them itself.

    Raises:
        DataError: a column is missing, a row has too many or too few cells, the text is not UTF-8, the compressed
            stream is cut off, or the file is of a format that is not read; the message names file and row.
    """
    file = Path(file) if isinstance(file, str) else file
    constant = _constant_columns(file, csv, columns, partitions)
    stored = columns if columns is None else tuple(name for name in columns if name not in constant)
    if stored is not None and not stored:
        stored = column_names(file, csv)[:1]  # they tell the number of rows
    if is_columnar(file):
        batches = columnar_file.read_batches(file, stored, allow_empty=allow_empty)
    else:
        batches = csv_file.read_batches(
            file,
            csv,
            stored,
            distinct=distinct,
            numbers=numbers,
            may_lack=may_lack,
            allow_empty=allow_empty,
            read_bytes=read_bytes,
        )
    first_row = 1
    for batch, bytes_read in batches:
        yield RawRows(append_partitions(batch, partitions, constant), file, first_row, bytes_read)
        first_row += batch.num_rows


def _constant_columns(
    file: AnyPath, csv: CsvSettings, columns: Collection[str] | None, partitions: Partitions
) -> tuple[str, ...]:
    """List the wanted columns that come from the names of folders."""
    if not partitions:
        return ()
    names = partition_names(partitions, column_names(file, csv))
    return tuple(name for name in names if columns is None or name in set(columns))
