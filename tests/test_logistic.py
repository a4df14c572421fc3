"""The logistic function and its inverse are SciPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from rankelastor.logistic import expit, logit


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_probabilities_of_logits_are_scipys(values: list[float]) -> None:
    logits = np.array(values)
    np.testing.assert_allclose(expit(logits), special.expit(logits), rtol=4e-16)


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=20))
def test_logits_of_probabilities_are_scipys(values: list[float]) -> None:
    probabilities = np.array(values)
    with np.errstate(divide="ignore"):
        wanted = special.logit(probabilities)
    np.testing.assert_allclose(logit(probabilities), wanted, rtol=4e-16)


def test_logits_near_a_half_keep_their_digits() -> None:
    """(0.5 + d) / (0.5 - d) is rounded before its logarithm of about 4 d is taken, where d is small."""
    tiny = 2.0**-50
    assert logit(np.array([0.5 + tiny])).tolist() == [4 * tiny]


def test_logit_and_expit_take_each_other_back() -> None:
    logits = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(logit(expit(logits))[:40], logits[:40], rtol=1e-7)


def test_what_is_no_probability_has_no_logit() -> None:
    assert np.isnan(logit(np.array([-0.5, 1.5, np.nan]))).all()
    assert logit(np.array([0.0, 1.0])).tolist() == [-np.inf, np.inf]


def test_equal_logits_have_equal_probabilities_at_any_place() -> None:
    values = np.random.default_rng(1).normal(0, 2, size=(40, 1)) + np.zeros(23)
    assert (expit(values.T.ravel()).reshape(23, 40) == expit(values)[:, 0]).all()
