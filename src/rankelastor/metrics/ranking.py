"""How well scores rank: AUC, and AUC within groups."""

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray
from sklearn.metrics import roc_auc_score


def auc(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    weight: Shaped[ndarray, " example"] | None = None,
) -> float:
    """Area under the ROC curve, exact, ties counted half; nan where only one label is there.

    ``weight`` counts each example so many times; None counts each once.

    Example:
        >>> import numpy as np
        >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
        0.875
    """
    if label.min() == label.max():
        return float("nan")
    return float(roc_auc_score(label, score, sample_weight=weight))


def grouped_auc(
    label: Shaped[ndarray, " example"], score: Float[ndarray, " example"], group: Int[ndarray, " example"]
) -> float:
    """Mean of the AUC within each group that holds both labels, weighted by the group's number of examples.

    In 0..1; nan where no group holds both labels.

    Example:
        >>> import numpy as np
        >>> label, score = np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.1, 0.2, 0.8, 0.5])
        >>> grouped_auc(label, score, np.array([7, 7, 8, 8, 9]))  # 1 and 0; group 9 holds one label
        0.5

    Source: gAUC of Deep Interest Network, arXiv 1706.06978, equation 5, weighted by impressions.
    """
    _, group_index, num_examples = np.unique(group, return_inverse=True, return_counts=True)
    clicked = label > 0
    num_clicks = np.bincount(group_index, weights=clicked, minlength=len(num_examples))
    rank_sum = np.bincount(
        group_index, weights=_ranks_within(group_index, score) * clicked, minlength=len(num_examples)
    )
    both = (num_clicks > 0) & (num_clicks < num_examples)
    if not both.any():
        return float("nan")
    pairs = num_clicks * (num_examples - num_clicks)
    wins = rank_sum - num_clicks * (num_clicks + 1) / 2
    return float(np.average(wins[both] / pairs[both], weights=num_examples[both]))


def _ranks_within(
    group_index: Int[ndarray, " example"], score: Float[ndarray, " example"]
) -> Float[ndarray, " example"]:
    """Rank of each score within its group, from 1; equal scores share the mean of their ranks."""
    order = np.lexsort((score, group_index))
    sorted_group, sorted_score = group_index[order], score[order]
    place = np.arange(len(order), dtype=np.float64)
    new_group = np.r_[True, sorted_group[1:] != sorted_group[:-1]]
    new_tie = new_group | np.r_[True, sorted_score[1:] != sorted_score[:-1]]
    tie = np.cumsum(new_tie) - 1
    mean_place = np.bincount(tie, weights=place) / np.bincount(tie)
    group_start = np.maximum.accumulate(np.where(new_group, place, 0))
    ranks = np.empty(len(order))
    ranks[order] = mean_place[tie] - group_start + 1
    return ranks
