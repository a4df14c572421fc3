from __future__ import annotations

import math

import numpy as np
import pytest

from rankelastor.metrics.group_values import GroupValues
from rankelastor.metrics.intervals import bootstrap, delong, intervals_of
from rankelastor.metrics.ranking import auc


def drawn(num_rows: int = 300, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    score = draws.integers(0, 20, num_rows) / 20
    return (draws.random(num_rows) < 0.2 + 0.5 * score).astype(np.float64), score


def test_delong_is_that_of_two_loops() -> None:
    label, score = drawn()
    positive, negative = score[label == 1], score[label == 0]
    wins = np.array([[1.0 if p > n else 0.5 if p == n else 0.0 for n in negative] for p in positive])
    variance = wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    found = delong(label, score, None)
    assert found is not None
    half = 1.959964 * math.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((wins.mean() - half, wins.mean() + half))


def test_delong_covers_the_truth_about_95_times_of_100() -> None:
    truth = auc(*drawn(200_000, seed=0))
    found = [delong(*drawn(200, seed=seed), None) for seed in range(1, 301)]
    covered = sum(each.low <= truth <= each.high for each in found if each is not None)
    assert 0.91 <= covered / 300 <= 0.99


def test_the_bootstrap_of_a_mean_has_its_standard_error() -> None:
    values = np.random.default_rng(0).random(400)
    found = bootstrap(GroupValues(values, np.ones(400)))
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)
    assert found.low < values.mean() < found.high


def test_what_has_no_variance_has_no_interval() -> None:
    label, score, group = np.array([0.0, 1.0]), np.array([0.2, 0.8]), np.array([1, 1])
    assert set(intervals_of(label, score, group=group)) == {"logloss"}


def test_metrics_within_groups_have_intervals_over_groups() -> None:
    label, score = drawn()
    found = intervals_of(label, score, group=np.arange(300) // 10)
    assert {each.method for name, each in found.items() if name not in {"auc", "logloss"}} == {"bootstrap over groups"}
    assert {"gauc", "mrr", "ndcg_at_10", "hit_rate_at_10"} <= set(found)
