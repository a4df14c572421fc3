import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from tests.metrics.weighted_rows import Rows, weighted_rows

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
    measured = grouped_auc(label, score, group=group)
    if not parts:
        assert np.isnan(measured)
    else:
        assert measured == pytest.approx(np.average([p for p, _ in parts], weights=[n for _, n in parts]), abs=1e-12)


def test_grouped_auc_ignores_scores_of_other_groups() -> None:
    label = np.array([1, 0, 1, 0])
    score = np.array([0.2, 0.1, 0.9, 0.8])
    assert auc(label, score) == 0.75
    assert grouped_auc(label, score, group=np.array([1, 1, 2, 2])) == 1.0


@given(weighted_rows())
def test_a_weight_counts_as_that_many_rows_in_auc(rows: Rows) -> None:
    label, score, _, _ = rows.repeated()
    assert auc(rows.label, rows.probability, weight=rows.weight) == pytest.approx(
        auc(label, score), abs=1e-12, nan_ok=True
    )


@given(weighted_rows())
def test_a_weight_counts_as_that_many_rows_in_grouped_auc(rows: Rows) -> None:
    label, score, group, _ = rows.repeated()
    weighted = grouped_auc(rows.label, rows.probability, group=rows.group, weight=rows.weight)
    assert weighted == pytest.approx(grouped_auc(label, score, group=group), abs=1e-12, nan_ok=True)


@given(weighted_rows())
def test_one_group_is_plain_auc(rows: Rows) -> None:
    one = np.zeros(len(rows.label), dtype=np.int64)
    within = grouped_auc(rows.label, rows.probability, group=one, weight=rows.weight)
    assert within == pytest.approx(auc(rows.label, rows.probability, weight=rows.weight), abs=1e-12, nan_ok=True)


def test_weighted_ties_count_half() -> None:
    label, score = np.array([1, 0, 0]), np.array([0.5, 0.5, 0.1])
    assert auc(label, score, weight=np.array([1.0, 3.0, 1.0])) == pytest.approx((3 / 2 + 1) / 4)


def test_large_float32_weights_are_summed_in_float64() -> None:
    label, score = np.array([1.0, 0.0] * 500), np.linspace(0, 1, 1000)
    weight = np.full(1000, 2.0**24 + 2, dtype=np.float32)
    assert auc(label, score, weight=weight) == pytest.approx(auc(label, score), abs=1e-12)


def test_grouped_auc_weighs_a_group_by_the_weight_of_all_its_rows() -> None:
    label, score = np.array([1, 0, 1, 0]), np.array([0.9, 0.1, 0.2, 0.8])
    weight = np.array([1.0, 2.0, 4.0, 5.0])
    assert grouped_auc(label, score, group=np.array([1, 1, 2, 2]), weight=weight) == pytest.approx(3 / 12)


def test_without_examples_auc_is_not_defined() -> None:
    assert np.isnan(auc(np.array([]), np.array([])))
    assert np.isnan(auc(np.array([0, 1]), np.array([0.1, 0.2]), weight=np.zeros(2)))
