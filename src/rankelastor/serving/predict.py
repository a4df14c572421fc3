"""Predict probabilities for a file of raw rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from rankelastor.alarms.alarm import log_alarms
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.csv_stream import compression_of, delimiter_of
from rankelastor.data.raw.rows import column_names, is_parquet, read_rows
from rankelastor.errors import OVERWRITE, DataError, StorageError
from rankelastor.evaluation.scoring import Scorer
from rankelastor.execution.cores import borrowed_cores
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.serving.watch import PredictionWatch
from rankelastor.storage import whole_file

PROBABILITY = "probability"


def predict(
    folder: str | Path,
    input_file: str | Path,
    output_file: str | Path,
    *,
    overwrite: bool = False,
    report: str | Path | None = None,
    progress: ProgressListener | None = None,
) -> int:
    """Score the rows of a CSV or Parquet file with a run, in bounded memory.

    Unknown values are out of vocabulary; the label column may be missing. What is likely wrong, such as a field of
    which no value is known, is logged: see ``rankelastor.alarms``. The name of the output decides between CSV and
    Parquet; a CSV file has the delimiter and header of the training files.

    Args:
        folder: a run folder.
        input_file: raw rows in the format of the training files.
        output_file: the same rows in the same order, with a last column ``probability``; with several tasks, a column
            ``probability_TASK`` for each.
        overwrite: whether to replace an existing file.
        report: a JSON file for the summary of the prediction beside that of valid, see ``PredictionReport``; it is
            replaced if it exists. None writes none.
        progress: receives the number of bytes read.

    Returns:
        The number of rows.

    Raises:
        RunError: the run folder cannot be used.
        DataError: a row or column of the input is wrong, or the input already has such a column.
        StorageError: the output exists or cannot be written; no partial file is left.
    """
    input_file, output_file = Path(input_file), Path(output_file)
    if output_file.is_dir():
        raise StorageError(f"the output must be a file, but {output_file} is a folder; name a file in it")
    if output_file.exists() and not overwrite:
        raise StorageError(
            f"the output must be a new file, but {output_file} exists; try {OVERWRITE} to replace it", python=OVERWRITE
        )
    run = load_run(folder)
    added = probability_columns(run.encoder.schema.tasks)
    _refuse_columns(added, input_file, run)
    with (
        borrowed_cores(run.recipe.training.execution.threads),
        whole_file(output_file) as temporary,
        _writer(temporary, output_file, run.encoder.csv) as writer,
    ):
        watch = PredictionWatch(run, where=input_file.name)
        num_rows = _score_rows(run, input_file, writer, added, watch, progress or SilentProgress())
    summary = watch.report()
    log_alarms(summary.alarms)
    if report is not None:
        summary.write(report)
    return num_rows


def _score_rows(  # noqa: PLR0917
    run: LoadedRun,
    input_file: Path,
    writer: _Writer,
    added: Sequence[str],
    watch: PredictionWatch,
    progress: ProgressListener,
) -> int:
    training, may_lack = run.recipe.training, run.recipe.data.columns_beside_features
    num_rows = bytes_done = 0
    progress.begin("predicting", total=input_file.stat().st_size, unit="bytes")
    odds = run.recipe.odds
    with closing(
        Scorer(
            run.ranker,
            training.execution,
            batch_size=training.evaluation_batch_size,
            logit_shift=odds.logit_shift,
        )
    ) as scorer:
        for rows in read_rows(input_file, run.encoder.csv, may_lack=may_lack, allow_empty=True):
            batch = run.encoder.encode(rows)
            scores = scorer(batch).reshape(rows.num_rows, len(added))
            watch.add(rows, batch, scores)
            table = rows.table
            for name, column in zip(added, scores.T, strict=True):
                table = table.append_column(name, pa.array(column))
            writer.write(table)
            num_rows += rows.num_rows
            progress.advance(rows.bytes_read - bytes_done)
            bytes_done = rows.bytes_read
    progress.end()
    return num_rows


def probability_columns(tasks: Sequence[str]) -> tuple[str, ...]:
    """Name the columns that ``predict`` adds.

    Example:
        >>> probability_columns(["label"]), probability_columns(["click", "like"])
        (('probability',), ('probability_click', 'probability_like'))
    """
    return (PROBABILITY,) if len(tasks) == 1 else tuple(f"{PROBABILITY}_{task}" for task in tasks)


def _refuse_columns(added: Sequence[str], input_file: Path, run: LoadedRun) -> None:
    present = set(added).intersection(column_names(input_file, run.encoder.csv))
    for name in sorted(present):
        raise DataError(
            f"{input_file} must not have a column `{name}`, since predict adds this column, but has; rename it first"
        )


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


class _Writer(Protocol):
    def write(self, rows: pa.RecordBatch) -> None: ...


class _CsvWriter:
    def __init__(self, file: BinaryIO, csv: CsvSettings, *, delimiter: str) -> None:
        self._file, self._csv, self._delimiter = file, csv, delimiter
        self._header = csv.header

    def write(self, rows: pa.RecordBatch) -> None:
        _refuse_nested_columns(rows)
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


class _ParquetWriter:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.RecordBatch) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, rows.schema)
        self._writer.write_batch(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@contextmanager
def _writer(temporary: Path, output_file: Path, csv: CsvSettings) -> Iterator[_Writer]:
    if is_parquet(output_file):
        parquet = _ParquetWriter(temporary)
        try:
            yield parquet
        finally:
            parquet.close()
        return
    with pa.output_stream(str(temporary), compression=compression_of(output_file)) as stream:
        yield _CsvWriter(stream, csv, delimiter=delimiter_of(output_file, csv))
