"""Predict probabilities for raw rows: from a file, a folder, a stream or a frame to a file, a folder or a stream."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO

import pyarrow as pa

from rankelastor.data.raw.inputs import Input, Inputs, Table, open_inputs
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError, StorageError
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.execution.cores import borrowed_cores
from rankelastor.places import in_full, refuse_address
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.serving.output import Writer, open_writer
from rankelastor.serving.output_names import OutputFormat, format_of, format_of_table, has_written_ending, output_name
from rankelastor.storage import whole_file, whole_folder

PROBABILITY = "probability"
DONE_MARK = "_SUCCESS"
"""The empty file that marks a folder of scored files as complete; readers of folders skip it."""


def predict(
    folder: str | Path,
    input_file: Table,
    output_file: str | Path | BinaryIO,
    *,
    overwrite: bool = False,
    output_format: str | None = None,
    progress: ProgressListener | None = None,
) -> int:
    """Score raw rows with a run, in bounded memory.

    Unknown values are out of vocabulary; the label column may be missing. The name of the output decides between CSV,
    Parquet, Arrow IPC (Feather) and ORC; a CSV file has the delimiter and header of the training files. The first bytes
    of an input tell its format.

    Args:
        folder: a run folder.
        input_file: raw rows: the path of a file or folder, a stream of bytes, or a frame of polars, pandas or Arrow.
        output_file: the same rows in the same order, with a last column ``probability``; with several tasks, a column
            ``probability_TASK`` for each. For a folder it is a folder of files with the same names, unless its name
            ends as a file does: then that file holds the rows of all files, with the columns that folders called
            ``NAME=VALUE`` give them. A stream of bytes is left open.
        overwrite: whether to replace an existing file, or a folder that an earlier call wrote.
        output_format: ``csv``, ``tsv``, ``parquet``, ``feather`` or ``orc``, whatever the name of the output; None
            goes by its name, and writes CSV to a stream.
        progress: receives the number of bytes read.

    Returns:
        The number of rows.

    Raises:
        RunError: the run folder cannot be used.
        DataError: a row or column of the input is wrong, or the input already has such a column.
        StorageError: the output exists, cannot be written, or has an ending that is not written; no partial file is
            left.
        SettingsError: the output format is not known.
    """
    goes_to_folder = _is_folder(input_file) and _names_folder(output_file)
    _refuse_output(output_file, input_file, overwrite=overwrite, is_folder=goes_to_folder)
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
            assert isinstance(output_file, str | Path), "a stream is no folder"
            return _write_folder(scoring, inputs, Path(output_file), kind)
        assert kind is not None, "one output has one format"
        return _write_one(scoring, inputs, output_file, kind)


def probability_columns(tasks: Sequence[str]) -> tuple[str, ...]:
    """Name the columns that ``predict`` adds.

    Example:
        >>> probability_columns(["label"]), probability_columns(["click", "like"])
        (('probability',), ('probability_click', 'probability_like'))
    """
    return (PROBABILITY,) if len(tasks) == 1 else tuple(f"{PROBABILITY}_{task}" for task in tasks)


class _Scoring:
    """The rows of all inputs with their probabilities, piece by piece."""

    def __init__(self, run: LoadedRun, inputs: Inputs, progress: ProgressListener) -> None:
        self.csv = run.encoder.csv
        self._score = RowScorer(run)
        self._added = probability_columns(run.encoder.schema.tasks)
        self._progress = progress
        progress.begin("predicting", total=inputs.num_bytes, unit="bytes")

    def write(self, table: Input, writer: Writer, *, without: Collection[str] = ()) -> int:
        """Score a table and write its rows, without some columns; return their number."""
        num_rows = bytes_done = 0
        for rows in table.rows():
            self._refuse_added_columns(rows)
            scored = rows.table
            for name, column in zip(self._added, self._score(rows).T, strict=True):
                scored = scored.append_column(name, pa.array(column))
            writer.write(scored.select([name for name in scored.schema.names if name not in without]))
            num_rows += rows.num_rows
            self._progress.advance(rows.bytes_read - bytes_done)
            bytes_done = rows.bytes_read
        return num_rows

    def close(self) -> None:
        """End the work."""
        self._score.close()
        self._progress.end()

    def _refuse_added_columns(self, rows: RawRows) -> None:
        for name in sorted(set(self._added).intersection(rows.names)):
            raise DataError(
                f"{rows.file} must not have a column `{name}`, since predict adds this column, but has; rename it first"
            )


def _write_one(scoring: _Scoring, inputs: Inputs, output: str | Path | BinaryIO, kind: OutputFormat) -> int:
    """Write the rows of all inputs, one after the other, to one file or stream."""
    with _target(output) as target, open_writer(target, kind, scoring.csv, name=_name_of(output)) as writer:
        return sum(scoring.write(table, writer) for table in inputs.tables)


def _write_folder(scoring: _Scoring, inputs: Inputs, output: Path, kind: OutputFormat | None) -> int:
    """Write each file of a folder to a file of the same name; what its folders tell stays in their names."""
    num_rows = 0
    with whole_folder(output) as temporary:
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
def _target(output: str | Path | BinaryIO) -> Iterator[Path | BinaryIO]:
    if isinstance(output, str | Path):
        with whole_file(output) as temporary:
            yield temporary
    else:
        yield output
        output.flush()


def _name_of(output: str | Path | BinaryIO) -> PurePath:
    return PurePath(output) if isinstance(output, str | Path) else PurePath("stream")


def _is_folder(given: Table) -> bool:
    return isinstance(given, str | Path) and Path(given).is_dir()


def _names_folder(output: str | Path | BinaryIO) -> bool:
    """Tell whether the output of a folder is a folder: it is one already, or its name does not end as a file's does."""
    return isinstance(output, str | Path) and (Path(output).is_dir() or not has_written_ending(output))


def _refuse_output(output: str | Path | BinaryIO, given: Table, *, overwrite: bool, is_folder: bool) -> None:
    if not isinstance(output, str | Path):
        return
    refuse_address(output, what="the output", error=StorageError)
    path = Path(output)
    if str(path) == "-":
        raise StorageError("the output must be a path or a stream of bytes, but '-' was given; try sys.stdout.buffer")
    if is_folder:
        assert isinstance(given, str | Path), "the input is a folder"
        _refuse_folder(path, Path(given), overwrite=overwrite)
    elif path.is_dir():
        raise StorageError(f"the output must be a file, but {path} is a folder; name a file in it")
    elif path.exists() and not overwrite:
        raise StorageError(
            f"the output must be a new file, but {path} exists; add --force to replace it (overwrite=True)"
        )


def _refuse_folder(path: Path, given: Path, *, overwrite: bool) -> None:
    """Raise unless a folder may be written: it is new, empty, or the work of an earlier call."""
    ours, theirs = path.resolve(), given.resolve()
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise StorageError(f"the output must lie apart from the input, but {in_full(path)} and {in_full(given)} do not")
    if path.is_file():
        raise StorageError(f"the output of a folder must be a folder, but {path} is a file; name another")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not (path / DONE_MARK).is_file():
        raise StorageError(f"the output must be a new folder, but {path} holds other files; name another")
    if not overwrite:
        raise StorageError(
            f"the output must be a new folder, but {path} exists; add --force to replace it (overwrite=True)"
        )


def _trained_on_tabs(run: LoadedRun) -> bool:
    """Tell whether the first training file was a TSV file, so that a stream is one too."""
    sources = run.encoder.manifest.sources
    return bool(sources) and ".tsv" in sources[0].name.lower()
