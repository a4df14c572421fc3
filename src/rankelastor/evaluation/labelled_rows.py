"""Score labelled rows that were not prepared: a new file, a folder, a stream or a frame."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray

from rankelastor.data.cells.labels import parse_labels
from rankelastor.data.cells.weights import parse_weights
from rankelastor.data.interner import Interner
from rankelastor.data.kinds.cells import Numbering
from rankelastor.data.kinds.vocabulary_fit import number_texts
from rankelastor.data.raw.column_names import require_columns
from rankelastor.data.raw.inputs import Inputs, Table, open_inputs
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.evaluation.row_scorer import RowScorer
from rankelastor.evaluation.run_scorer import predictions_of_members
from rankelastor.evaluation.scoring import Predictions
from rankelastor.evaluation.unseen import UnseenValues
from rankelastor.evaluation.unseen_in_rows import UnseenInRows
from rankelastor.progress import ProgressListener, SilentProgress
from rankelastor.runs.load import LoadedRun

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledScores:
    """The predictions for some labelled rows, and their values that training has not seen.

    Attributes:
        where: name of the rows in messages, such as that of their file.
        predictions: labels and probabilities.
        unseen: the counts of unseen values.
        written: an unseen value of each field that has one, as it is written.
        members: the predictions of each member of an ensemble.
    """

    where: str
    predictions: Predictions
    unseen: UnseenValues
    written: Mapping[str, str]
    members: tuple[Predictions, ...] = ()


def score_labelled(run: LoadedRun, table: Table, *, progress: ProgressListener | None = None) -> LabelledScores:
    """Score labelled rows in pieces. Memory holds labels, weights, groups and probabilities.

    Labels, weight and group are read from the columns that the run was trained with. Rows without the column of the
    group have no grouped metrics, with a warning. Rows of a thinned log count as those of training do.

    Raises:
        DataError: there are no rows, a column is missing, or a cell is wrong.
        RunError: the ranker's logits are not all finite.
    """
    columns = run.recipe.data.columns_beside_features
    progress = progress or SilentProgress()
    with open_inputs(table, run.encoder.csv, needed=[*run.encoder.columns, *columns]) as inputs:
        progress.begin("scoring", total=inputs.num_bytes, unit="bytes")
        with closing(RowScorer(run)) as score:
            collected = _Collected(run)
            for each in inputs.tables:
                for rows in each.read(progress):
                    collected.add(rows, score)
        progress.end()
        return collected.finish(inputs)


class _Collected:
    """Labels and probabilities, collected piece by piece."""

    def __init__(self, run: LoadedRun) -> None:
        self._run = run
        self._targets = run.recipe.data.targets
        self._unseen = UnseenInRows(run.encoder.manifest, keep_rows=True)
        self._group = run.encoder.manifest.group
        self._groups = Interner()
        self._labels: list[Float32[ndarray, "row task"]] = []
        self._scores: list[Float64[ndarray, "row task"]] = []
        self._members: list[Float64[ndarray, "row member task"]] = []
        self._weights: list[Float32[ndarray, " row"]] = []
        self._group_codes: list[Int64[ndarray, " row"]] = []

    def add(self, rows: RawRows, score: RowScorer) -> None:
        columns, encoder = self._run.recipe.data.columns_beside_features, self._run.encoder
        blanks, marks = encoder.csv.blanks, encoder.marks
        require_columns(rows.names, columns, rows.file, advice="rows to evaluate need the labels and the weight")
        labels = [
            parse_labels(rows, target.label, target.place, blanks=blanks, marks=marks) for target in self._targets
        ]
        if encoder.manifest.weight is not None:
            self._weights.append(parse_weights(rows, encoder.manifest.weight, blanks, marks))
        self._add_groups(rows)
        batch = encoder.encode(rows)
        self._labels.append(np.stack(labels, axis=1))
        scores, of_members = score.with_members(batch)
        self._scores.append(scores)
        self._members.append(of_members)
        self._unseen.add(rows, batch)

    def _add_groups(self, rows: RawRows) -> None:
        if self._group is None:
            return
        if self._group not in rows.names:
            _logger.warning("%s has no column `%s`, so there are no metrics by group", rows.file, self._group)
            self._group = None
            return
        source = self._run.encoder.source(rows, Numbering.provisional(self._groups))
        codes = number_texts(source, self._group, self._run.recipe.data.group_text)
        self._group_codes.append(codes.values.astype(np.int64))

    def finish(self, inputs: Inputs) -> LabelledScores:
        if not sum(map(len, self._labels)):
            label = ", ".join(table.label for table in inputs.tables)
            raise DataError(f"{label} must hold rows to be evaluated, but holds none")
        predictions = Predictions(
            label=np.concatenate(self._labels),
            probability=np.concatenate(self._scores),
            tasks=self._run.encoder.schema.tasks,
            group=np.concatenate(self._group_codes) if self._group is not None else None,
            weight=np.concatenate(self._weights) if self._weights else None,
            odds=self._run.recipe.odds,
        )
        members = predictions_of_members(predictions, self._members)
        return LabelledScores(inputs.name, predictions, self._unseen.total(), self._unseen.written, members)
