"""Example rows of a bundle with their probabilities: score them again, and see whether the ranker is what it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64
from numpy import ndarray

from rankelastor.data.raw.inputs import Table, open_inputs
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.raw.source_files import find_source_files
from rankelastor.errors import DataError, RunError, shorten
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.execution.cores import borrowed_cores
from rankelastor.progress import SilentProgress
from rankelastor.runs.environment import describe_arithmetic
from rankelastor.runs.load import LoadedRun

NUM_EXAMPLES = 100
TOLERANCE = 1e-5
"""Largest difference of a probability that another processor, or plain layers in place of kernels, may make."""
_BATCH_ROWS = 50
"""Few rows are scored on one core, so that their bits do not depend on the number of threads."""
_FROM_SPLITS = ("test", "valid", None, "train")
"""Where rows are taken from, the first that is there; None is a log that the settings split."""


@dataclass(frozen=True)
class ExampleScores:
    """The probabilities of the example rows.

    Attributes:
        tasks: names of the columns.
        probability: float64 (row, task).
        arithmetic: what the bits depend on beside settings and data, see ``describe_arithmetic``.
    """

    tasks: tuple[str, ...]
    probability: Float64[ndarray, "row task"]
    arithmetic: Mapping[str, object]

    def text(self) -> str:
        """Write them as JSON; the decimals of a probability give back its bits."""
        values = {
            "batch_rows": _BATCH_ROWS,
            "tasks": list(self.tasks),
            "arithmetic": dict(self.arithmetic),
            "probability": self.probability.tolist(),
        }
        return json.dumps(values, allow_nan=False) + "\n"

    @classmethod
    def read(cls, content: bytes, *, source: str) -> Self:
        """Read what ``text`` wrote.

        Raises:
            RunError: it is damaged.
        """
        try:
            values = json.loads(content.decode("utf-8"))
            tasks = tuple(map(str, values["tasks"]))
            probability = np.asarray(values["probability"], dtype=np.float64).reshape(-1, len(tasks))
            return cls(tasks, probability, dict(values["arithmetic"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise RunError(f"{source} must hold the probabilities of example rows, but {shorten(error)}") from None

    def difference_to(self, again: ExampleScores) -> str | None:
        """Say how probabilities differ that were computed again; None if they agree.

        They must be equal bit for bit where the arithmetic is the same, and within ``TOLERANCE`` elsewhere.
        """
        if again.probability.shape != self.probability.shape:
            return f"there are {len(again.probability)} rows and {len(self.probability)} probabilities"
        gap = np.abs(again.probability - self.probability).max(axis=1, initial=0.0)
        allowed = 0.0 if self.arithmetic == dict(again.arithmetic) else TOLERANCE
        wrong = np.flatnonzero(~(gap <= allowed))
        if not len(wrong):
            return None
        row = int(wrong[0])
        before, now = self.probability[row].tolist(), again.probability[row].tolist()
        return f"row {row + 1} was scored {_shown(before)} and is scored {_shown(now)} here ({len(wrong)} rows differ)"


def take_rows(run: LoadedRun, table: Table, *, num_rows: int = NUM_EXAMPLES) -> pa.Table:
    """Take the first rows of a table, with the columns that the run reads.

    Raises:
        DataError: the table cannot be read, lacks a column, or holds no rows.
    """
    taken: list[pa.RecordBatch] = []
    needed = run.encoder.columns
    may_lack = run.recipe.data.columns_beside_features
    with open_inputs(table, run.encoder.csv, needed=needed, may_lack=may_lack) as inputs:
        for each in inputs.tables:
            for rows in each.read(SilentProgress()):
                run.encoder.encode(rows)  # says which column is missing or which cell is wrong
                taken.append(rows.table.select(list(needed)).slice(0, num_rows - sum(map(len, taken))))
                if sum(map(len, taken)) >= num_rows:
                    return pa.Table.from_batches(taken)
    if not sum(map(len, taken)):
        raise DataError(f"the example rows must come from a table that holds rows, but {inputs.name} holds none")
    return pa.Table.from_batches(taken)


def rows_of_recipe(run: LoadedRun) -> pa.Table | None:
    """Take the first rows of the run's own raw files, of test if there is one; None if the files are gone."""
    try:
        files = find_source_files(run.recipe.data.files)
        for split in _FROM_SPLITS:
            found = next((file for file in files if file.split == split), None)
            if found is not None:
                return take_rows(run, found.path)
    except (DataError, OSError):
        return None
    return None


def write_rows(rows: pa.Table, path: Path) -> None:
    """Write example rows as Parquet."""
    pq.write_table(rows.replace_schema_metadata(None), path, compression="zstd")


def score_rows(run: LoadedRun, path: Path) -> ExampleScores:
    """Score the example rows of a file, few at a time on one core.

    Raises:
        DataError: the file is damaged, or a column is missing.
        RunError: the ranker's logits are not all finite.
    """
    parts: list[Float64[ndarray, "row task"]] = []
    with borrowed_cores(run.recipe.training.execution.threads), closing(RowScorer(run)) as score:
        for rows in read_rows(path, run.encoder.csv):
            batch = run.encoder.encode(rows)
            parts += [score.score(part) for part in batch.split(_BATCH_ROWS)]
        device = next(run.ranker.parameters()).device
        arithmetic = {name: value for name, value in describe_arithmetic(device).items() if name != "threads"}
    tasks = run.encoder.schema.tasks
    return ExampleScores(tasks, np.concatenate(parts) if parts else np.zeros((0, len(tasks))), arithmetic)


def _shown(values: list[Any]) -> str:
    return ", ".join(f"{value:.9f}" for value in values)
