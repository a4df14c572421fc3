"""How well scores rank: AUC, and AUC within groups."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray
from sklearn.metrics import roc_auc_score


def auc(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    weight: Shaped[ndarray, " example"] | None = None,
) -> float:
    """Compute the area under the ROC curve, exactly, ties counted half; nan where only one label is there.

    With weights each pair of a positive and a negative example counts by the product of their weights, as if an
    example stood there ``weight`` times; None counts each once.

    Example:
        >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
        0.875
        >>> auc(np.array([0, 0, 1]), np.array([0.1, 0.9, 0.5]), weight=np.array([3.0, 1.0, 1.0]))
        0.75
    """
    if weight is not None:
        counted = weight > 0
        label, score, weight = label[counted], score[counted], weight[counted].astype(np.float64)
    if not len(label) or label.min() == label.max():
        return math.nan
    return float(roc_auc_score(label, score, sample_weight=weight))


def grouped_auc(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> float:
    """Compute the mean of the AUC within each group that holds both labels, by the group's total weight.

    The total weight is the number of examples where ``weight`` is None; with weights each group's AUC is weighted, too.
    In 0..1; nan where no group holds both labels with a weight above 0.

    Example:
        >>> label, score = np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.1, 0.2, 0.8, 0.5])
        >>> grouped_auc(label, score, group=np.array([7, 7, 8, 8, 9]))  # 1 and 0; group 9 holds one label
        0.5

    Source: gAUC of Deep Interest Network, arXiv 1706.06978, equation 5, weighted by impressions.
    """
    if not len(label):
        return math.nan
    keys, group_index = np.unique(group, return_inverse=True)
    mass = np.ones(len(label)) if weight is None else weight.astype(np.float64)
    positive = np.where(label > 0, mass, 0.0)

    def sums(values: Float[ndarray, " example"]) -> Float[ndarray, " group"]:
        return np.bincount(group_index, weights=values, minlength=len(keys))

    total, total_positive = sums(mass), sums(positive)
    total_negative = sums(mass - positive)
    both = (total_positive > 0) & (total_negative > 0)
    if not both.any():
        return math.nan
    wins = sums(positive * _negatives_below(group_index, score, mass - positive))
    pairs = total_positive * total_negative
    return float(np.average(wins[both] / pairs[both], weights=total[both]))


def _negatives_below(
    group_index: Int[ndarray, " example"],
    score: Float[ndarray, " example"],
    negative: Float[ndarray, " example"],
) -> Float[ndarray, " example"]:
    """Add up, for each example, the weight of its group's negatives with lower scores, and half of those that tie."""
    order = np.lexsort((score, group_index))
    sorted_group, sorted_score, sorted_negative = group_index[order], score[order], negative[order]
    before = np.cumsum(sorted_negative) - sorted_negative
    new_group = np.r_[True, sorted_group[1:] != sorted_group[:-1]]
    new_tie = new_group | np.r_[True, sorted_score[1:] != sorted_score[:-1]]
    tie, tie_start = np.cumsum(new_tie) - 1, np.flatnonzero(new_tie)
    tied = np.bincount(tie, weights=sorted_negative)
    group_start = np.flatnonzero(new_group)[np.cumsum(new_group) - 1]
    below = np.empty(len(order))
    below[order] = before[tie_start[tie]] - before[group_start] + tied[tie] / 2
    return below
