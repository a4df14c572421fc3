"""Measure how well one feature alone ranks the rows of a held-out split.

A feature that almost determines the label is usually derived from it, or known only after it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rankelastor.data_report.counts import IdCounts
from rankelastor.metrics.ranking import auc

PRIOR_ROWS = 20
"""Additive smoothing: number of pseudo-rows at the overall label rate that are added to the train rows of a value."""


def auc_of_ids(train: IdCounts, held_out: IdCounts) -> float | None:
    """Compute the AUC of the smoothed train label rates of ids, on a held-out split; None if it has one label only.

    The score of a value that train does not hold is the overall rate, so values that occur once give an AUC of 0.5.

    Example:
        >>> train, held_out = IdCounts(3), IdCounts(3)
        >>> train.add(np.array([1, 1, 2, 2], dtype=np.int32), np.array([True, True, False, False]))
        >>> held_out.add(np.array([1, 2], dtype=np.int32), np.array([True, False]))
        >>> auc_of_ids(train, held_out)
        1.0
    """
    overall = train.clicks.sum() / max(train.num_rows, 1)
    rate = (train.clicks + PRIOR_ROWS * overall) / (train.rows + float(PRIOR_ROWS))
    return _auc_of_counts(rate, held_out)


def auc_of_places(held_out: IdCounts) -> float | None:
    """Compute the AUC of the ids as numbers (lengths, for example), in the better direction; None with one label."""
    return _either_direction(_auc_of_counts(np.arange(len(held_out.rows), dtype=np.float64), held_out))


def auc_of_numbers(label: NDArray[np.float32], numbers: NDArray[np.float32]) -> float | None:
    """Compute the AUC of the numbers, in the better direction; None with one label.

    Example:
        >>> auc_of_numbers(np.array([1, 0], dtype=np.float32), np.array([-3, 5], dtype=np.float32))
        1.0
    """
    return _either_direction(_or_none(auc(label, numbers.astype(np.float64)) if len(label) else math.nan))


def _auc_of_counts(score: NDArray[np.float64], held_out: IdCounts) -> float | None:
    held = np.flatnonzero(held_out.rows)
    clicks = held_out.clicks[held].astype(np.float64)
    others = held_out.rows[held] - clicks
    if not clicks.any() or not others.any():
        return None
    label = np.repeat([1.0, 0.0], len(held))
    return auc(label, np.tile(score[held], 2), weight=np.concatenate([clicks, others]))


def _either_direction(value: float | None) -> float | None:
    return None if value is None else max(value, 1 - value)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
