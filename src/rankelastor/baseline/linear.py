"""Train logistic regression on a sample of train and predict a sample of valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from rankelastor.baseline.design import Columns, Design
from rankelastor.baseline.logistic_regression import LogisticRegression
from rankelastor.data.prepared import PreparedDataset
from rankelastor.schema import SplitName

TRAIN_ROWS = 50_000
VALID_ROWS = 200_000
"""Largest numbers of rows that are sampled, evenly over a split."""


@dataclass(frozen=True)
class LinearBaseline:
    """Predictions of logistic regression for some rows of valid.

    Attributes:
        num_train_rows: number of sampled train rows that it was trained on.
        rows: numbers of the valid rows.
        probability: its predictions for them.
    """

    num_train_rows: int
    rows: Int64[ndarray, " row"]
    probability: Float64[ndarray, "row task"]


def linear_baseline(
    dataset: PreparedDataset, *, train_rows: int = TRAIN_ROWS, valid_rows: int = VALID_ROWS
) -> LinearBaseline | None:
    """Train logistic regression on sampled train rows for each task, and predict sampled valid rows.

    It takes a few seconds at most, and draws nothing at random. Labels are weighted as in training, but negatives are
    neither thinned nor weighted otherwise. None if a task has only one label among the sampled rows.

    Args:
        dataset: the prepared data.
        train_rows: largest number of train rows.
        valid_rows: largest number of valid rows.
    """
    train = _sample(dataset, "train", train_rows)
    mass = train.weight @ train.labels
    if not (mass > 0).all() or not (mass < train.weight.sum()).all():
        return None
    design = Design(train)
    matrix = design.matrix(train)
    fitted = [LogisticRegression.fit(matrix, label, weight=train.weight) for label in train.labels.T]
    valid = design.matrix(_sample(dataset, "valid", valid_rows))
    return LinearBaseline(
        num_train_rows=len(train.labels),
        rows=_row_numbers(dataset.split("valid").num_rows, valid_rows),
        probability=np.stack([model.probability(valid) for model in fitted], axis=1),
    )


def _sample(dataset: PreparedDataset, name: SplitName, num_rows: int) -> Columns:
    split = dataset.split(name)
    rows = _row_numbers(split.num_rows, num_rows)
    parts = []
    for index, shard in enumerate(split.shards):
        first = index * split.shard_rows
        here = rows[(rows >= first) & (rows < first + shard.num_rows)] - first
        if len(here):
            parts.append(Columns.of(shard, here, dataset.schema))
    return Columns(
        ids=np.concatenate([part.ids for part in parts]),
        mass=np.concatenate([part.mass for part in parts]),
        numbers=np.concatenate([part.numbers for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )


def _row_numbers(num_rows: int, most: int) -> Int64[ndarray, " row"]:
    """Choose row numbers evenly: all, or the middle of each of ``most`` equal stretches."""
    if num_rows <= most:
        return np.arange(num_rows)
    return (2 * np.arange(most) + 1) * num_rows // (2 * most)
