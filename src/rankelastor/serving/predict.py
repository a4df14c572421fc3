"""Predict probabilities for raw rows: from a file, a folder, a stream or a frame to a file, a folder or a stream."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO

import pyarrow as pa

from rankelastor.alarms.alarm import log_alarms
from rankelastor.data.raw.inputs import Input, Inputs, Table, open_inputs
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError, StorageError
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.execution.cores import borrowed_cores
from rankelastor.places import refuse_address
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.remote.remote_path import AnyPath, RemotePath, place_of
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.serving.output import Writer, open_writer
from rankelastor.serving.output_names import OutputFormat, format_of, format_of_table, has_written_ending, output_name
from rankelastor.serving.output_place import DONE_MARK, refuse_output
from rankelastor.serving.watch import PredictionWatch
from rankelastor.storage import whole_file, whole_folder

PROBABILITY = "probability"


def predict(
    folder: str | Path,
    input_file: Table,
    output_file: str | AnyPath | BinaryIO,
    *,
    overwrite: bool = False,
    output_format: str | None = None,
    report: str | Path | None = None,
    progress: ProgressListener | None = None,
) -> int:
    """Score raw rows with a run, in bounded memory.

    Unknown values are out of vocabulary; the label column may be missing. What is likely wrong, such as a field of
    which no value is known, is logged: see ``rankelastor.alarms``. The name of the output decides between CSV, Parquet,
    Arrow IPC (Feather) and ORC; a CSV file has the delimiter and header of the training files. The first bytes of an
    input tell its format.

    Args:
        folder: a run folder.
        input_file: raw rows: the path or address of a file or folder, a stream of bytes, or a frame of polars, pandas
            or Arrow.
        output_file: a path, an address or a stream, which gets the same rows in the same order, with a last column
            ``probability``; with several tasks, a column
            ``probability_TASK`` for each. For a folder it is a folder of files with the same names, unless its name
            ends as a file does: then that file holds the rows of all files, with the columns that folders called
            ``NAME=VALUE`` give them. A stream of bytes is left open.
        overwrite: whether to replace an existing file, or a folder that an earlier call wrote.
        output_format: ``csv``, ``tsv``, ``parquet``, ``feather`` or ``orc``, whatever the name of the output; None
            goes by its name, and writes CSV to a stream.
        report: a JSON file for the summary of the prediction beside that of valid, one for all files of a folder, see
            ``PredictionReport``; it is replaced if it exists. None writes none.
        progress: receives the number of bytes read.

    Returns:
        The number of rows.

    Raises:
        RunError: the run folder cannot be used.
        DataError: a row or column of the input is wrong, or the input already has such a column.
        RemoteError: an address cannot be reached.
        StorageError: the output exists, cannot be written, or has an ending that is not written; no partial file is
            left.
        SettingsError: the output format is not known.
    """
    goes_to_folder = _is_folder(input_file) and _names_folder(output_file)
    refuse_output(output_file, input_file if goes_to_folder else None, overwrite=overwrite)
    if report is not None:
        refuse_address(report, what="the report", error=StorageError)
    kind = None if goes_to_folder and output_format is None else format_of(_name_of(output_file), output_format)
    run = load_run(folder)
    tabs = output_format == "tsv" or _trained_on_tabs(run)
    with (
        borrowed_cores(run.recipe.training.execution.threads),
        open_inputs(
            input_file,
            run.encoder.csv,
            needed=run.encoder.columns,
            may_lack=run.recipe.data.columns_beside_features,
            tabs=tabs,
        ) as inputs,
        closing(_Scoring(run, inputs, progress or SilentProgress())) as scoring,
    ):
        if goes_to_folder:
            assert isinstance(output_file, str | Path | RemotePath), "a stream is no folder"
            num_rows = _write_folder(scoring, inputs, _output(output_file), kind)
        else:
            assert kind is not None, "one output has one format"
            num_rows = _write_one(scoring, inputs, output_file, kind)
        summary = scoring.watch.report()
    log_alarms(summary.alarms)
    if report is not None:
        summary.write(report)
    return num_rows


def probability_columns(tasks: Sequence[str]) -> tuple[str, ...]:
    """Name the columns that ``predict`` adds.

    Example:
        >>> probability_columns(["label"]), probability_columns(["click", "like"])
        (('probability',), ('probability_click', 'probability_like'))
    """
    return (PROBABILITY,) if len(tasks) == 1 else tuple(f"{PROBABILITY}_{task}" for task in tasks)


class _Scoring:
    """The rows of all inputs with their probabilities, piece by piece, and the watch over them."""

    def __init__(self, run: LoadedRun, inputs: Inputs, progress: ProgressListener) -> None:
        self.csv = run.encoder.csv
        self.watch = PredictionWatch(run, where=inputs.name)
        self._encoder = run.encoder
        self._scorer = RowScorer(run)
        self._added = probability_columns(run.encoder.schema.tasks)
        self._progress = progress
        progress.begin("predicting", total=inputs.num_bytes, unit="bytes")

    def write(self, table: Input, writer: Writer, *, without: Collection[str] = ()) -> int:
        """Score a table and write its rows, without some columns; return their number."""
        num_rows = 0
        for rows in table.read(self._progress):
            self._refuse_added_columns(rows)
            batch = self._encoder.encode(rows)
            scores = self._scorer.score(batch)
            self.watch.add(rows, batch, scores)
            scored = rows.table
            for name, column in zip(self._added, scores.T, strict=True):
                scored = scored.append_column(name, pa.array(column))
            writer.write(scored.select([name for name in scored.schema.names if name not in without]))
            num_rows += rows.num_rows
        return num_rows

    def close(self) -> None:
        """End the work."""
        self._scorer.close()
        self._progress.end()

    def _refuse_added_columns(self, rows: RawRows) -> None:
        for name in sorted(set(self._added).intersection(rows.names)):
            raise DataError(
                f"{rows.file} must not have a column `{name}`, since predict adds this column, but has; rename it first"
            )


def _write_one(scoring: _Scoring, inputs: Inputs, output: str | AnyPath | BinaryIO, kind: OutputFormat) -> int:
    """Write the rows of all inputs, one after the other, to one file or stream."""
    with _target(output) as target, open_writer(target, kind, scoring.csv, name=_name_of(output)) as writer:
        return sum(scoring.write(table, writer) for table in inputs.tables)


def _write_folder(scoring: _Scoring, inputs: Inputs, output: AnyPath, kind: OutputFormat | None) -> int:
    """Write each file of a folder to a file of the same name; what its folders tell stays in their names."""
    num_rows = 0
    with whole_folder(output, last=DONE_MARK) as temporary:
        for table in inputs.tables:
            name = output_name(table.name, table.kind, kind)
            target = temporary / name
            if target.exists():
                raise DataError(f"files must get different outputs, but two are written as {name}; rename one of them")
            target.parent.mkdir(parents=True, exist_ok=True)
            table_kind = kind or format_of_table(name, table.kind)
            with open_writer(target, table_kind, scoring.csv, name=name) as writer:
                num_rows += scoring.write(table, writer, without=table.folder_columns)
        (temporary / DONE_MARK).touch()
    return num_rows


@contextmanager
def _target(output: str | AnyPath | BinaryIO) -> Iterator[Path | BinaryIO]:
    if isinstance(output, str | Path | RemotePath):
        with whole_file(_output(output)) as temporary:
            yield temporary
    else:
        yield output
        output.flush()


def _name_of(output: str | AnyPath | BinaryIO) -> PurePath:
    return PurePath(str(output)) if isinstance(output, str | Path | RemotePath) else PurePath("stream")


def _output(output: str | AnyPath) -> AnyPath:
    return place_of(output, what="the output", error=StorageError)


def _is_folder(given: Table) -> bool:
    return isinstance(given, str | Path | RemotePath) and place_of(given, what="the input", error=DataError).is_dir()


def _names_folder(output: str | AnyPath | BinaryIO) -> bool:
    """Tell whether the output of a folder is a folder: it is one already, or its name does not end as a file's does."""
    if not isinstance(output, str | Path | RemotePath):
        return False
    return _output(output).is_dir() or not has_written_ending(str(output))


def _trained_on_tabs(run: LoadedRun) -> bool:
    """Tell whether the first training file was a TSV file, so that a stream is one too."""
    sources = run.encoder.manifest.sources
    return bool(sources) and ".tsv" in sources[0].name.lower()
