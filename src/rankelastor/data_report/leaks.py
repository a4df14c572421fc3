"""How well one feature alone ranks the rows of a split that nothing was fitted on.

A feature that alone nearly tells the label is most often made from it, or known only after it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rankelastor.data_report.counts import IdCounts
from rankelastor.metrics.ranking import auc

PRIOR_ROWS = 20
"""A value's label rate is that of its train rows and of so many more rows at the overall rate."""


def auc_of_ids(train: IdCounts, judged: IdCounts) -> float | None:
    """AUC of each id's smoothed label rate in train, on the rows of another split; None where these hold one label.

    A value that train does not hold scores the overall rate, so that values of one row each come to one half.

    Example:
        >>> train, judged = IdCounts(3), IdCounts(3)
        >>> train.add(np.array([1, 1, 2, 2], dtype=np.int32), np.array([True, True, False, False]))
        >>> judged.add(np.array([1, 2], dtype=np.int32), np.array([True, False]))
        >>> auc_of_ids(train, judged)
        1.0
    """
    overall = train.clicks.sum() / max(train.num_rows, 1)
    rate = (train.clicks + PRIOR_ROWS * overall) / (train.rows + float(PRIOR_ROWS))
    return _auc_of_counts(rate, judged)


def auc_of_places(judged: IdCounts) -> float | None:
    """AUC of the id itself as a number, in the better direction: of lengths, say. None where there is one label."""
    return _either_direction(_auc_of_counts(np.arange(len(judged.rows), dtype=np.float64), judged))


def auc_of_numbers(label: NDArray[np.float32], numbers: NDArray[np.float32]) -> float | None:
    """AUC of the number itself in the better direction; None where there is one label.

    Example:
        >>> auc_of_numbers(np.array([1, 0], dtype=np.float32), np.array([-3, 5], dtype=np.float32))
        1.0
    """
    return _either_direction(_or_none(auc(label, numbers.astype(np.float64)) if len(label) else math.nan))


def _auc_of_counts(score: NDArray[np.float64], judged: IdCounts) -> float | None:
    held = np.flatnonzero(judged.rows)
    clicks = judged.clicks[held].astype(np.float64)
    others = judged.rows[held] - clicks
    if not clicks.any() or not others.any():
        return None
    label = np.repeat([1.0, 0.0], len(held))
    return auc(label, np.tile(score[held], 2), weight=np.concatenate([clicks, others]))


def _either_direction(value: float | None) -> float | None:
    return None if value is None else max(value, 1 - value)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
