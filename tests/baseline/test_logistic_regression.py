import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression as Reference

from rankelastor.baseline.logistic_regression import LogisticRegression


@pytest.mark.parametrize("weighted", [False, True])
def test_it_agrees_with_scikit_learn(weighted: bool) -> None:
    draws = np.random.default_rng(1)
    values = draws.normal(size=(400, 5)) * (draws.random((400, 5)) < 0.5)
    label = (draws.random(400) < 1 / (1 + np.exp(-values @ np.arange(5.0) / 3))).astype(np.float64)
    weight = draws.random(400) * 2 if weighted else np.ones(400)
    ours = LogisticRegression.fit(csr_array(values), label, weight=weight).probability(csr_array(values))
    theirs = Reference(tol=1e-8).fit(values, label, sample_weight=weight).predict_proba(values)[:, 1]
    assert np.abs(ours - theirs).max() < 2e-3
