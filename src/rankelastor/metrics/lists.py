"""Quality of the list of each group, best score first: NDCG, mean reciprocal rank, hit rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.group_values import NO_GROUPS, GroupValues

LIST_LENGTH = 10
"""Number of places at the top of a list that NDCG and hit rate look at."""


def ndcg(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
    k: int = LIST_LENGTH,
) -> float:
    """Compute the mean over groups of DCG@k over its best value: sum over the top k of label / log2(1 + rank).

    Rows of equal score share the mean gain of their places. Groups without both labels are left out; a group counts
    by the mean weight of its rows, and rows of weight 0 are not there. The result is in 0..1; nan without such a group.

    Example:
        >>> label, score, group = np.array([0, 1, 0]), np.array([0.9, 0.5, 0.1]), np.zeros(3, dtype=int)
        >>> round(ndcg(label, score, group=group), 6)  # the second place: 1 / log2(3)
        0.63093

    Source: Järvelin and Kekäläinen 2002, Cumulated gain-based evaluation; ties as in McSherry and Najork 2008.
    """
    return ndcg_by_group(label, score, group=group, weight=weight, k=k).mean()


def ndcg_by_group(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
    k: int = LIST_LENGTH,
) -> GroupValues:
    """Compute NDCG@k of each group with both labels: see ``ndcg``."""
    lists = _Lists.of(label, score, group, weight)
    if lists is None:
        return NO_GROUPS
    gains = np.where(lists.rank < k, 1 / np.log2(2 + lists.rank), 0.0)
    shared = (np.bincount(lists.tie, weights=gains) / np.bincount(lists.tie))[lists.tie]
    found = lists.sums(shared * lists.positive)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(2 + np.arange(k)))])
    return GroupValues(found / best[np.minimum(lists.num_positive, k)], lists.weight)


def mean_reciprocal_rank(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> float:
    """Compute the mean over groups of 1 / rank of its first positive row; among equal scores, the expected value.

    Groups and weights are those of ``ndcg``.

    Example:
        >>> label, score, group = np.array([0, 1, 0]), np.array([0.9, 0.5, 0.1]), np.zeros(3, dtype=int)
        >>> mean_reciprocal_rank(label, score, group=group)
        0.5

    Source: Voorhees 1999, The TREC-8 Question Answering Track Report.
    """
    return reciprocal_rank_by_group(label, score, group=group, weight=weight).mean()


def reciprocal_rank_by_group(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> GroupValues:
    """Compute 1 / rank of the first positive row of each group with both labels: see ``mean_reciprocal_rank``."""
    lists = _Lists.of(label, score, group, weight)
    if lists is None:
        return NO_GROUPS
    before, size, positive = lists.first_tie_with_positive()
    expected = [
        _expected_reciprocal(*each) for each in zip(before.tolist(), size.tolist(), positive.tolist(), strict=True)
    ]
    return GroupValues(np.array(expected), lists.weight)


def hit_rate(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
    k: int = LIST_LENGTH,
) -> float:
    """Compute the share of groups with a positive row among the top k; among equal scores, its probability.

    Groups and weights are those of ``ndcg``.

    Example:
        >>> label, score, group = np.array([0, 1, 0]), np.array([0.9, 0.5, 0.1]), np.zeros(3, dtype=int)
        >>> hit_rate(label, score, group=group, k=1), hit_rate(label, score, group=group, k=2)
        (0.0, 1.0)
    """
    return hit_by_group(label, score, group=group, weight=weight, k=k).mean()


def hit_by_group(
    label: Shaped[ndarray, " example"],
    score: Float[ndarray, " example"],
    *,
    group: Int[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
    k: int = LIST_LENGTH,
) -> GroupValues:
    """Compute whether each group with both labels has a positive row among the top k: see ``hit_rate``."""
    lists = _Lists.of(label, score, group, weight)
    if lists is None:
        return NO_GROUPS
    before, size, positive = lists.first_tie_with_positive()
    drawn = np.clip(k - before, 0, size)
    others = size - positive
    possible = drawn <= others
    missed = possible.astype(np.float64)
    for taken in range(int(drawn.max(initial=0))):  # at most k: what is drawn one after the other is no positive row
        missed *= np.where(possible & (taken < drawn), (others - taken) / np.maximum(size - taken, 1), 1.0)
    return GroupValues(1 - missed, lists.weight)


@dataclass(frozen=True)
class _Lists:
    """The rows of groups with both labels, group by group and best score first.

    Attributes:
        list: number of the group of each row.
        positive: 1 where the label is positive.
        rank: place in the list, counted from 0.
        tie: number of the run of equal scores within a list.
        weight: mean weight of the rows of each list.
    """

    list: Int[ndarray, " row"]
    positive: Float[ndarray, " row"]
    rank: Int[ndarray, " row"]
    tie: Int[ndarray, " row"]
    weight: Float[ndarray, " list"]

    @classmethod
    def of(
        cls,
        label: Shaped[ndarray, " example"],
        score: Float[ndarray, " example"],
        group: Int[ndarray, " example"],
        weight: Float[ndarray, " example"] | None,
    ) -> Self | None:
        """Sort the rows; None if no group has both labels."""
        mass = np.ones(len(label)) if weight is None else weight.astype(np.float64)
        kept = (mass > 0) & _in_groups_of_both(label, group, mass)
        if not kept.any():
            return None
        keys, place = np.unique(group[kept], return_inverse=True)
        order = np.lexsort((-score[kept], place))
        place, sorted_score = place[order], score[kept][order]
        starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
        new_tie = np.r_[True, (place[1:] != place[:-1]) | (sorted_score[1:] != sorted_score[:-1])]
        return cls(
            list=place,
            positive=(label[kept][order] > 0).astype(np.float64),
            rank=np.arange(len(place)) - starts[place],
            tie=np.cumsum(new_tie) - 1,
            weight=np.bincount(place, weights=mass[kept][order]) / np.bincount(place, minlength=len(keys)),
        )

    @property
    def num_positive(self) -> Int[ndarray, " list"]:
        """Number of positive rows of each list."""
        return self.sums(self.positive).astype(np.int64)

    def sums(self, values: Float[ndarray, " row"]) -> Float[ndarray, " list"]:
        """Sum values list by list."""
        return np.bincount(self.list, weights=values, minlength=len(self.weight))

    def first_tie_with_positive(
        self,
    ) -> tuple[Int[ndarray, " list"], Int[ndarray, " list"], Int[ndarray, " list"]]:
        """Find in each list the first run of equal scores that has a positive row.

        Returns:
            The number of rows before it, its number of rows, and its number of positive rows.
        """
        first_row = np.flatnonzero(np.r_[True, self.tie[1:] != self.tie[:-1]])
        size = np.bincount(self.tie)
        positive = np.bincount(self.tie, weights=self.positive).astype(np.int64)
        with_positive = np.flatnonzero(positive)
        _, which = np.unique(self.list[first_row[with_positive]], return_index=True)
        chosen = with_positive[which]
        return self.rank[first_row[chosen]], size[chosen], positive[chosen]


def _in_groups_of_both(
    label: Shaped[ndarray, " example"], group: Int[ndarray, " example"], mass: Float[ndarray, " example"]
) -> Bool[ndarray, " example"]:
    keys, place = np.unique(group, return_inverse=True)
    positive = np.bincount(place, weights=mass * (label > 0), minlength=len(keys))
    negative = np.bincount(place, weights=mass * (label <= 0), minlength=len(keys))
    both: Bool[ndarray, " example"] = ((positive > 0) & (negative > 0))[place]
    return both


def _expected_reciprocal(before: int, size: int, positive: int) -> float:
    """Compute the mean of 1 / (before + place of the first positive) over the orders of ``size`` rows."""
    if size == positive:
        return 1 / (before + 1)
    places = np.arange(1, size - positive + 2)
    passed = places[:-1]
    falls = (size - passed - positive + 1) / (size - passed)  # from the chance of a place to that of the next
    chances = positive / size * np.cumprod(np.append(1.0, falls))
    return float((chances / (before + places)).sum())
