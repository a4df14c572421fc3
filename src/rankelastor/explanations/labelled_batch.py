"""Rows as one batch, with their labels where they are needed: of a prepared split, or of raw rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from rankelastor.data.cells.labels import parse_labels
from rankelastor.data.cells.weights import parse_weights
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.raw.column_names import require_columns
from rankelastor.data.raw.inputs import Table, open_inputs
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.explanations.contributions import join
from rankelastor.progress import SilentProgress
from rankelastor.runs.load import LoadedRun
from rankelastor.schema import Batch


def prepared_batch(split: PreparedSplit, *, most: int) -> Batch:
    """Take the first rows of a prepared split with their labels and weights.

    Raises:
        DataError: it has no rows.
    """
    if not split.num_rows:
        raise DataError(f"a split must hold rows to be explained, but {split.name} has none; try another")
    return _joined(list(BatchLoader(split, batch_size=min(most, split.num_rows)).epoch())[:1])


def raw_batch(run: LoadedRun, table: Table, *, most: int, labelled: bool = True) -> Batch:
    """Encode the first rows of a table, with their labels and weights if ``labelled``.

    Raises:
        DataError: the table cannot be read, lacks a column, or holds no rows.
    """
    found: list[Batch] = []
    beside = run.recipe.data.columns_beside_features
    needed = [*run.encoder.columns, *(beside if labelled else ())]
    with open_inputs(table, run.encoder.csv, needed=needed, may_lack=() if labelled else beside) as inputs:
        for each in inputs.tables:
            for rows in each.read(SilentProgress()):
                found.append(_labelled(run, rows) if labelled else run.encoder.encode(rows))
                if sum(batch.num_examples for batch in found) >= most:
                    return next(_joined(found).split(most))
    batch = _joined(found) if found else None
    if batch is None or not batch.num_examples:
        raise DataError(f"{inputs.name} must hold rows to be explained, but holds none; name another table")
    return batch


def _labelled(run: LoadedRun, rows: RawRows) -> Batch:
    data, encoder = run.recipe.data, run.encoder
    blanks, marks = encoder.csv.blanks, encoder.marks
    require_columns(rows.names, data.columns_beside_features, rows.file, advice="rows to explain need their labels")
    labels = [parse_labels(rows, each.label, each.place, blanks=blanks, marks=marks) for each in data.targets]
    weight = None if data.weight is None else torch.from_numpy(parse_weights(rows, data.weight, blanks, marks))
    return replace(encoder.encode(rows), labels=torch.from_numpy(np.stack(labels, axis=1)), weight=weight)


def _joined(batches: list[Batch]) -> Batch:
    labels = [batch.labels for batch in batches if batch.labels is not None]
    weights = [batch.weight for batch in batches if batch.weight is not None]
    return replace(
        join(batches),
        labels=torch.cat(labels) if labels else None,
        weight=torch.cat(weights) if weights else None,
    )
