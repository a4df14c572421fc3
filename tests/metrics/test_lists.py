from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.metrics.lists import hit_rate, mean_reciprocal_rank, ndcg

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.3]), st.integers(0, 1)), min_size=2, max_size=6
)
Labels = tuple[int, ...]


def naive_ndcg(labels: Labels, k: int) -> float:
    best = sorted(labels, reverse=True)
    gain, most = (sum(y / math.log2(1 + rank) for rank, y in enumerate(order[:k], 1)) for order in (labels, best))
    return gain / most


def naive_reciprocal(labels: Labels) -> float:
    return 1 / (labels.index(1) + 1)


def expected(rows: list[tuple[int, float]], of: Callable[[Labels], float]) -> float:
    """The mean over all orders of the rows that sort by score, best first."""
    sorted_orders = [
        order for order in permutations(rows) if [s for _, s in order] == sorted((s for _, s in rows), reverse=True)
    ]
    return mean(of(tuple(y for y, _ in order)) for order in sorted_orders)


@settings(max_examples=60)
@given(ROWS, st.integers(1, 4))
def test_ties_have_the_mean_over_their_orders(rows: list[tuple[int, float, int]], k: int) -> None:
    label, score, group = (np.array(column) for column in zip(*rows, strict=True))
    lists = [[(y, s) for y, s, g in rows if g == which] for which in (0, 1)]
    lists = [inside for inside in lists if {y for y, _ in inside} == {0, 1}]
    measured = [
        ndcg(label, score, group=group, k=k),
        mean_reciprocal_rank(label, score, group=group),
        hit_rate(label, score, group=group, k=k),
    ]
    if not lists:
        assert np.isnan(measured).all()
        return
    naive = [lambda y: naive_ndcg(y, k), naive_reciprocal, lambda y: float(1 in y[:k])]
    assert measured == pytest.approx([mean(expected(inside, of) for inside in lists) for of in naive])


def test_a_group_counts_by_the_mean_weight_of_its_rows() -> None:
    label, score = np.array([1, 0, 0, 1]), np.array([0.9, 0.1, 0.9, 0.1])
    group, weight = np.array([1, 1, 2, 2]), np.array([1.0, 5.0, 0.5, 1.5])
    assert mean_reciprocal_rank(label, score, group=group, weight=weight) == pytest.approx((3 * 1 + 1 * 0.5) / 4)


def test_a_row_without_weight_is_not_there() -> None:
    label, score, group = np.array([0, 1, 0]), np.array([0.9, 0.5, 0.1]), np.zeros(3, dtype=np.int64)
    assert mean_reciprocal_rank(label, score, group=group, weight=np.array([0.0, 1.0, 1.0])) == 1
