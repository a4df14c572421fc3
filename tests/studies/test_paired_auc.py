import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rankelastor.studies.paired_auc import AucDifference, auc_difference


def test_the_difference_is_that_of_the_two_areas() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 200).astype(np.float32)
    first, second = rng.normal(size=200) + label, np.round(rng.normal(size=200), 1)
    found = auc_difference(label, first, second)
    assert found.value == pytest.approx(roc_auc_score(label, first) - roc_auc_score(label, second))


def test_the_error_is_the_spread_over_draws_of_the_examples() -> None:
    rng = np.random.default_rng(2)
    errors, differences = [], []
    for _ in range(300):
        label = np.arange(150) % 2
        shared = rng.normal(size=150) + 0.5 * label
        first, second = shared + rng.normal(size=150), shared + rng.normal(size=150)
        found = auc_difference(label, first, second)
        errors.append(found.standard_error)
        differences.append(found.value)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.15)


def test_less_than_two_standard_errors_is_noise() -> None:
    assert AucDifference(0.019, 0.01).is_noise
    assert not AucDifference(-0.021, 0.01).is_noise
