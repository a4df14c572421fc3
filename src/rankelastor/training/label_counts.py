"""Count the labels of the train split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rankelastor.data.prepared import PreparedDataset


@dataclass(frozen=True)
class LabelCounts:
    """Labels of one task in a split.

    Attributes:
        task: name of the task.
        num_rows: number of rows.
        num_positive: number of rows with label 1.
        positive: total weight of the rows with label 1.
        negative: total weight of the rows with label 0.
    """

    task: str
    num_rows: int
    num_positive: int
    positive: float
    negative: float


def count_labels(dataset: PreparedDataset) -> tuple[LabelCounts, ...]:
    """Count the labels of train by task; without weights each row weighs 1."""
    tasks, total, num_rows = dataset.schema.tasks, 0.0, 0
    num_positive, positive = np.zeros(len(tasks), dtype=np.int64), np.zeros(len(tasks))
    for shard in dataset.split("train").shards:
        is_positive = shard.labels > 0
        weight = np.ones(shard.num_rows) if shard.weight is None else shard.weight.astype(np.float64)
        num_rows += shard.num_rows
        num_positive += is_positive.sum(axis=0)
        positive += weight @ is_positive
        total += float(weight.sum())
    return tuple(
        LabelCounts(task, num_rows, int(count), float(mass), total - float(mass))
        for task, count, mass in zip(tasks, num_positive, positive, strict=True)
    )
