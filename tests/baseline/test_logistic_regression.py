from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression as Reference

from rankelastor.baseline.logistic_regression import LogisticRegression


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("made", "tolerance"), [(csr_array, 2e-3), (np.array, 1e-6)])
def test_it_agrees_with_scikit_learn(weighted: bool, made: Callable[[Any], Any], tolerance: float) -> None:
    draws = np.random.default_rng(1)
    values = draws.normal(size=(400, 5)) * (draws.random((400, 5)) < 0.5)
    label = (draws.random(400) < 1 / (1 + np.exp(-values @ np.arange(5.0) / 3))).astype(np.float64)
    weight = draws.random(400) * 2 if weighted else np.ones(400)
    ours = LogisticRegression.fit(made(values), label, weight=weight).probability(made(values))
    theirs = Reference(tol=1e-10).fit(values, label, sample_weight=weight).predict_proba(values)[:, 1]
    assert np.abs(ours - theirs).max() < tolerance


def test_labels_that_a_column_parts_have_finite_weights() -> None:
    """Large numbers part the labels, so that the first steps are too long and predictions become certain."""
    values = np.repeat([[-300.0], [300.0]], 20, axis=0)
    fitted = LogisticRegression.fit(values, np.repeat([0.0, 1.0], 20), weight=np.ones(40))
    assert 0 < fitted.weights[0] < 1
    assert fitted.probability(values)[[0, -1]].round(3).tolist() == [0, 1]
