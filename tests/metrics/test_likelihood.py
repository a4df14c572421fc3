from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import log_loss
from tests.metrics.weighted_rows import Rows, weighted_rows

from rankelastor.metrics.likelihood import logloss, normalized_entropy


def test_logloss_is_the_mean_negative_log_likelihood() -> None:
    label, probability = np.array([1, 0, 1]), np.array([0.9, 0.2, 0.6])
    assert logloss(label, probability) == pytest.approx(log_loss(label, probability), abs=1e-15)


def test_logloss_clips_probabilities_at_one_in_ten_million() -> None:
    assert logloss(np.array([1]), np.array([0.0])) == pytest.approx(-np.log(1e-7))
    assert logloss(np.array([0]), np.array([1.0])) == pytest.approx(-np.log(1e-7), rel=1e-6)


def test_normalized_entropy_of_a_perfect_forecast_is_near_zero() -> None:
    assert normalized_entropy(np.array([1, 0]), np.array([1.0, 0.0])) < 1e-6


def test_normalized_entropy_of_one_label_is_not_defined() -> None:
    assert np.isnan(normalized_entropy(np.array([1, 1]), np.array([0.5, 0.5])))


@pytest.mark.parametrize("metric", [logloss, normalized_entropy])
def test_without_weight_left_the_metric_is_not_defined(metric: Callable[..., float]) -> None:
    assert np.isnan(metric(np.array([1, 0]), np.array([0.5, 0.5]), weight=np.zeros(2)))


@given(weighted_rows().filter(lambda rows: rows.weight.any()))
def test_a_weight_counts_as_that_many_rows(rows: Rows) -> None:
    label, probability, _, _ = rows.repeated()
    for metric in (logloss, normalized_entropy):
        weighted = metric(rows.label, rows.probability, weight=rows.weight)
        assert weighted == pytest.approx(metric(label.astype(float), probability), rel=1e-9, nan_ok=True)


def test_a_weight_of_one_third_is_a_third_of_an_example() -> None:
    weighted = logloss(np.array([1, 0]), np.array([0.5, 0.2]), weight=np.array([1 / 3, 1.0]))
    assert weighted == pytest.approx((np.log(2) / 3 - np.log(0.8)) / (4 / 3))
