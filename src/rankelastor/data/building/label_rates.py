"""Compute label rates and sums of weights by split; refuse splits from which nothing can be learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rankelastor.data.building.field_plan import FieldPlan
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.staging import StagedColumns, StagedPart
from rankelastor.data.settings import Target
from rankelastor.errors import DataError
from rankelastor.schema import SPLITS, SplitName

LabelRates = dict[SplitName, dict[str, float]]
"""The mean label by split and task."""


def label_rates(plan: FieldPlan, parts: Sequence[StagedPart], splits: SplitCodes) -> LabelRates:
    """Compute the unweighted mean label of each split and task.

    Raises:
        DataError: a split has one label only for a task: nothing can be learned or measured there.
    """
    sums = np.zeros((len(SPLITS), len(plan.targets)))
    for columns, codes in _with_splits(parts, splits):
        for task, labels in enumerate(columns.labels().T):
            sums[:, task] += np.bincount(codes, weights=labels, minlength=len(SPLITS))
    sizes = np.bincount(splits, minlength=len(SPLITS)).tolist()
    rates: LabelRates = {}
    for split, totals, size in zip(SPLITS, sums, sizes, strict=True):
        if not size:
            continue
        for target, total in zip(plan.targets, totals, strict=True):
            if total in (0, size):
                raise _one_label(split, target, size, label=int(total > 0))
        rates[split] = {target.task: float(total / size) for target, total in zip(plan.targets, totals, strict=True)}
    return rates


def require_weights(plan: FieldPlan, parts: Sequence[StagedPart], splits: SplitCodes) -> None:
    """Raise if rows are weighted and all weights of a split are 0.

    Raises:
        DataError: all weights of a split are 0.
    """
    if plan.weight is None:
        return
    sums = np.zeros(len(SPLITS))
    for columns, codes in _with_splits(parts, splits):
        sums += np.bincount(codes, weights=columns.weights(), minlength=len(SPLITS))
    sizes = np.bincount(splits, minlength=len(SPLITS)).tolist()
    for split, total, size in zip(SPLITS, sums, sizes, strict=True):
        if size and not total:
            raise DataError(
                f"the split {split} must hold a weight above 0, but all its {size} weights in column {plan.weight!r} "
                "are 0; check data.weight, or give other rows"
            )


def _one_label(split: SplitName, target: Target, size: int, *, label: int) -> DataError:
    column, positive = target.label.column, target.label.positive
    advice = f"check {target.place}, or give other rows"
    if positive is not None:
        rows = "every row" if label else "no row"
        advice = f"{rows} has positive: {positive!r} there; check {target.place}.positive, or give other rows"
    return DataError(
        f"the split {split} must hold labels 0 and 1, but all its {size} labels are {label} in column {column!r}; "
        f"{advice}"
    )


def _with_splits(parts: Sequence[StagedPart], splits: SplitCodes) -> Iterator[tuple[StagedColumns, SplitCodes]]:
    start = 0
    for part in parts:
        yield part.columns(), splits[start : start + part.num_rows]
        start += part.num_rows
