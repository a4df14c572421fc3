import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rankelastor.data_report.counts import IdCounts
from rankelastor.data_report.leaks import PRIOR_ROWS, auc_of_ids, auc_of_numbers, auc_of_places


def count(num_ids: int, ids: np.ndarray, clicked: np.ndarray) -> IdCounts:
    counts = IdCounts(num_ids)
    counts.add(ids.astype(np.int32), clicked.astype(bool))
    return counts


def test_the_auc_is_that_of_smoothed_train_rates_row_by_row() -> None:
    draws = np.random.default_rng(4)
    ids, other_ids = draws.integers(1, 30, 500), draws.integers(1, 32, 300)
    clicked, other_clicked = draws.random(500) < ids / 40, draws.random(300) < other_ids / 40
    rate = [
        (clicked[ids == index].sum() + PRIOR_ROWS * clicked.mean()) / ((ids == index).sum() + PRIOR_ROWS)
        for index in other_ids
    ]
    found = auc_of_ids(count(32, ids, clicked), count(32, other_ids, other_clicked))
    assert found == pytest.approx(roc_auc_score(other_clicked, rate), abs=1e-12)


def test_a_feature_equal_to_the_label_ranks_perfectly() -> None:
    clicked = np.random.default_rng(1).random(400) < 0.2
    ids = clicked + 1
    assert auc_of_ids(count(4, ids[:200], clicked[:200]), count(4, ids[200:], clicked[200:])) == 1


def test_ids_of_one_row_each_rank_by_luck() -> None:
    """Check ids that occur once: each determines the label in train, but carries no information on other rows."""
    clicked = np.random.default_rng(1).random(400) < 0.2
    train = count(402, np.arange(1, 401), clicked)
    assert auc_of_ids(train, train) == 1
    valid = count(402, np.full(400, 401), clicked)  # all out of vocabulary
    assert auc_of_ids(train, valid) == 0.5


def test_numbers_rank_in_either_direction() -> None:
    label, numbers = np.array([1, 1, 0, 0], dtype=np.float32), np.array([1, 2, 2, 3], dtype=np.float32)
    assert auc_of_numbers(label, numbers) == auc_of_numbers(label, -numbers) == 0.875


def test_places_rank_in_either_direction() -> None:
    ids, clicked = np.array([0, 1, 2, 2]), np.array([1, 1, 0, 0])
    assert auc_of_places(count(3, ids, clicked)) == auc_of_places(count(3, ids, 1 - clicked)) == 1


def test_there_is_no_auc_without_both_labels() -> None:
    one_label = count(3, np.array([1, 2]), np.array([1, 1]))
    assert auc_of_ids(one_label, one_label) is None
    assert auc_of_places(one_label) is None
    assert auc_of_numbers(np.ones(2, dtype=np.float32), np.arange(2, dtype=np.float32)) is None
