"""Write scored rows as CSV, Parquet, Arrow IPC (Feather) or ORC, piece by piece."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, Protocol, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.errors import DataError
from rankelastor.serving.output_names import TEXT_FORMATS, OutputFormat


class Writer(Protocol):
    """Writes pieces of rows one after the other."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Write some rows.

        Raises:
            DataError: the format cannot hold a column, or its type has changed since the first piece.
        """
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


@contextmanager
def open_writer(target: Path | BinaryIO, kind: OutputFormat, csv: CsvSettings, *, name: PurePath) -> Iterator[Writer]:
    """Open a writer.

    Args:
        target: the file to write, or a stream of bytes, which is left open.
        kind: the format.
        csv: the format of CSV files; its delimiter gives way to that of ``tsv``.
        name: the name of the output, which tells how text is compressed.
    """
    with _opened(target, name.suffix.lower() if kind in TEXT_FORMATS else "") as file:
        writer = _writer(file, kind, csv, name)
        try:
            yield writer
        finally:
            writer.close()


def _writer(file: BinaryIO, kind: OutputFormat, csv: CsvSettings, name: PurePath) -> Writer:
    if kind in TEXT_FORMATS:
        by_name = "\t" if kind == "tsv" else ","
        return _CsvWriter(file, csv, delimiter=csv.delimiter or by_name)
    return _TableWriter(file, kind, lz4=name.suffix.lower() == ".feather")


@contextmanager
def _opened(target: Path | BinaryIO, ending: str) -> Iterator[BinaryIO]:
    if not isinstance(target, Path):
        yield target
        return
    with cast("BinaryIO", _open_file(target, ending)) as file:
        yield file


def _open_file(target: Path, ending: str) -> object:
    if ending in {".gz", ".zst"}:
        return pa.output_stream(str(target), compression={".gz": "gzip", ".zst": "zstd"}[ending])
    if ending in {".bz2", ".xz"}:
        return bz2.BZ2File(target, "wb") if ending == ".bz2" else lzma.LZMAFile(target, "wb")
    return target.open("wb")


def _refuse_nested_columns(rows: pa.RecordBatch) -> None:
    for column in rows.schema:
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            raise DataError(
                f"column {column.name!r} must hold single texts or numbers to go into CSV, but holds {column.type}; "
                "name an output that ends in .parquet"
            )


def _frame(rows: pa.RecordBatch) -> pl.DataFrame:
    """Take rows over to Polars, without the metadata of their schema, which may be no text."""
    table = pa.Table.from_arrays(rows.columns, names=rows.schema.names)
    try:
        return cast("pl.DataFrame", pl.from_arrow(table))
    except pl.exceptions.PanicException as error:
        raise DataError(f"the rows must be ones that can be written as CSV, but {error}") from None


class _CsvWriter:
    def __init__(self, file: BinaryIO, csv: CsvSettings, *, delimiter: str) -> None:
        self._file, self._csv, self._delimiter = file, csv, delimiter
        self._header = csv.header
        self._names: list[str] | None = None

    def write(self, rows: pa.RecordBatch) -> None:
        _refuse_nested_columns(rows)
        self._names = self._names or rows.schema.names
        if rows.schema.names != self._names:
            raise _other_columns(self._names, rows.schema.names)
        frame = _frame(rows)
        # A blank cell was read as an empty text, which would be written as quotes.
        text = frame.with_columns(pl.col(pl.String).replace("", None)).write_csv(
            separator=self._delimiter,
            include_header=self._header,
            quote_style="never" if self._csv.quote is None else "necessary",
            quote_char=self._csv.quote or '"',
        )
        self._file.write(text.encode())  # Python writes, so that a full disk is an OSError, which whole_file explains
        self._header = False

    def close(self) -> None:
        """Do nothing: all is written."""


class _TableWriter:
    """Writer of Parquet, Arrow IPC or ORC, opened with the first piece, which tells the columns."""

    def __init__(self, file: BinaryIO, kind: OutputFormat, *, lz4: bool) -> None:
        self._sink = pa.PythonFile(file, mode="w")
        self._kind, self._lz4 = kind, lz4
        self._schema: pa.Schema | None = None
        self._write: Callable[[pa.RecordBatch], None] | None = None
        self._close: Callable[[], None] | None = None

    def write(self, rows: pa.RecordBatch) -> None:
        if self._kind != "parquet":  # these formats allow one dictionary a file
            rows = _decoded(rows)
        if self._schema is None:
            self._schema = rows.schema
            self._open(rows.schema)
        if rows.schema.names != self._schema.names:
            raise _other_columns(self._schema.names, rows.schema.names)
        assert self._write is not None
        try:
            self._write(rows if rows.schema == self._schema else rows.cast(self._schema))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"the rows must have types that {self._kind} can hold, the same in all files, but {error}; "
                "name an output that ends in .parquet, or a folder"
            ) from error

    def close(self) -> None:
        if self._close is not None:
            self._close()

    def _open(self, schema: pa.Schema) -> None:
        if self._kind == "orc":
            writer = orc.ORCWriter(self._sink)
            self._write = lambda rows: writer.write(pa.Table.from_batches([rows]))
            self._close = writer.close
            return
        if self._kind == "parquet":
            opened = pq.ParquetWriter(self._sink, schema)
        else:
            options = pa.ipc.IpcWriteOptions(compression="lz4" if self._lz4 else None)
            opened = pa.ipc.new_file(self._sink, schema, options=options)
        self._write, self._close = opened.write_batch, opened.close


def _decoded(rows: pa.RecordBatch) -> pa.RecordBatch:
    columns = [cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells for cells in rows.columns]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)


def _other_columns(first: list[str], names: list[str]) -> DataError:
    return DataError(
        f"the rows of one output must have the same columns, but {', '.join(names)} follow {', '.join(first)}; "
        "name a folder as the output, so that each file is written by itself"
    )
