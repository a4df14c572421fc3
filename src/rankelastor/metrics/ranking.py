"""Quality of a ranking by scores: AUC, and AUC within groups."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.group_values import NO_GROUPS, GroupValues


def auc(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    weight: Shaped[ndarray, " example"] | None = None,
) -> float:
    """Compute the exact area under the ROC curve, with ties counted half; nan if all labels are equal.

    With weights each pair of a positive and a negative example counts by the product of their weights, as if each
    example occurred ``weight`` times; None weights all equally.

    Example:
        >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
        0.875
        >>> auc(np.array([0, 0, 1]), np.array([0.1, 0.9, 0.5]), weight=np.array([3.0, 1.0, 1.0]))
        0.75
    """
    return grouped_auc(label, score, group=np.zeros(len(label), dtype=np.int64), weight=weight)


def grouped_auc(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> float:
    """Compute the mean of the AUC within each group that has both labels, weighted by the group's total weight.

    Without ``weight`` the total weight is the number of examples; with it the AUC within each group is weighted, too.
    The result is in 0..1; nan if no group has both labels with a weight above 0.

    Example:
        >>> label, score = np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.1, 0.2, 0.8, 0.5])
        >>> grouped_auc(label, score, group=np.array([7, 7, 8, 8, 9]))  # 1 and 0; group 9 has one label
        0.5

    Source: gAUC of Deep Interest Network, arXiv 1706.06978, equation 5, weighted by impressions.
    """
    return auc_by_group(label, score, group=group, weight=weight).mean()


def auc_by_group(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> GroupValues:
    """Compute the AUC within each group that has both labels, and the group's total weight.

    Example:
        >>> label, score = np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.1, 0.2, 0.8, 0.5])
        >>> auc_by_group(label, score, group=np.array([7, 7, 8, 8, 9])).values.tolist()
        [1.0, 0.0]
    """
    if not len(label):
        return NO_GROUPS
    keys, group_index = np.unique(group, return_inverse=True)
    mass = np.ones(len(label)) if weight is None else weight.astype(np.float64)
    positive = np.where(label > 0, mass, 0.0)

    def sums(values: Float[ndarray, " example"]) -> Float[ndarray, " group"]:
        return np.bincount(group_index, weights=values, minlength=len(keys))

    total, total_positive = sums(mass), sums(positive)
    total_negative = sums(mass - positive)
    both = (total_positive > 0) & (total_negative > 0)
    if not both.any():
        return NO_GROUPS
    wins = sums(positive * negatives_below(group_index, score, mass - positive))
    pairs = total_positive * total_negative
    return GroupValues(wins[both] / pairs[both], total[both])


def negatives_below(
    group_index: Int[ndarray, " example"],
    score: Float[ndarray, " example"],
    negative: Float[ndarray, " example"],
) -> Float[ndarray, " example"]:
    """Sum the weights of the negatives of each example's group that score lower, and half of those that tie."""
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
