import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rankelastor.metrics.ranking import auc, grouped_auc


def naive_auc(label: list[int], score: list[float]) -> float:
    wins = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p, lp in zip(score, label, strict=True)
        if lp
        for n, ln in zip(score, label, strict=True)
        if not ln
    ]
    return sum(wins) / len(wins)


examples = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.3, 0.7]), st.integers(0, 3)), min_size=2)


@given(examples)
def test_auc_counts_pairs_and_ties_half(rows: list[tuple[int, float, int]]) -> None:
    label, score, _ = (list(column) for column in zip(*rows, strict=True))
    measured = auc(np.array(label), np.array(score))
    if len(set(label)) == 1:
        assert np.isnan(measured)
    else:
        assert measured == pytest.approx(naive_auc(label, score), abs=1e-12)


@given(examples)
def test_grouped_auc_is_the_weighted_mean_of_the_groups_that_hold_both_labels(
    rows: list[tuple[int, float, int]],
) -> None:
    label, score, group = (np.array(column) for column in zip(*rows, strict=True))
    parts = [
        (roc_auc_score(label[group == g], score[group == g]), (group == g).sum())
        for g in np.unique(group)
        if len(np.unique(label[group == g])) == 2
    ]
    measured = grouped_auc(label, score, group)
    if not parts:
        assert np.isnan(measured)
    else:
        assert measured == pytest.approx(np.average([p for p, _ in parts], weights=[n for _, n in parts]), abs=1e-12)


def test_grouped_auc_ignores_scores_of_other_groups() -> None:
    label = np.array([1, 0, 1, 0])
    score = np.array([0.2, 0.1, 0.9, 0.8])
    assert auc(label, score) == 0.75
    assert grouped_auc(label, score, np.array([1, 1, 2, 2])) == 1.0
