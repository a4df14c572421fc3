"""Read the start of a log file as a table, with what must be known to read the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.rows import is_columnar, read_rows
from rankelastor.drafting.csv_format import recognise_csv
from rankelastor.drafting.draft import Choice
from rankelastor.errors import DataError
from rankelastor.places import in_full, refuse_address
from rankelastor.suggestions import what_lies_near

SAMPLE_ROWS = 200_000
"""Number of rows at which reading stops; settings are inferred from these."""


@dataclass(frozen=True)
class LogSample:
    """The first rows of a log file.

    ``num_rows`` is that of the whole file, an estimate by its bytes unless the table is ``is_whole``. ``csv`` is None
    for a file of typed columns, such as Parquet.
    """

    file: Path
    table: pa.Table
    num_rows: int
    is_whole: bool
    csv: Choice[CsvSettings] | None


def read_log(file: str | Path, *, at_most: int = SAMPLE_ROWS) -> LogSample:
    """Read up to ``at_most`` rows of a file of CSV, Parquet, Arrow IPC or ORC, and some more to the end of a piece.

    Raises:
        DataError: the file does not exist, cannot be read, or holds no rows.
    """
    refuse_address(file, what="a log", error=DataError)
    file = Path(file)
    if file.is_dir():
        raise DataError(f"a log must be one file, but {file} is a folder; name one of its files")
    if not file.exists():
        place = Path(in_full(file))
        raise DataError(f"a log must be a file that exists, but {place} does not; {what_lies_near(place)}")
    csv = None if is_columnar(file) else recognise_csv(file)
    batches, num_rows, bytes_read = [], 0, 0
    for rows in read_rows(file, CsvSettings() if csv is None else csv.value):
        batches.append(rows.table)
        num_rows, bytes_read = num_rows + rows.num_rows, rows.bytes_read
        if num_rows >= at_most:
            break
    if not num_rows:
        raise DataError(f"{file} must hold rows, but it has none")
    size = file.stat().st_size
    is_whole = bytes_read >= size
    total = num_rows if is_whole else round(num_rows * size / bytes_read)
    return LogSample(file, pa.Table.from_batches(batches), total, is_whole, csv)
