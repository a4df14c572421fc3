import numpy as np
import pytest
from sklearn.metrics import log_loss

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
