"""Isotonic regression: scikit-learn's as a naive reference, and the two rows that are added."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from rankelastor.calibration.isotonic_fit import fit_isotonic


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_fit_of_another_library_with_the_two_added_rows(weighted: bool) -> None:
    draws = np.random.default_rng(7)
    logits = draws.normal(0, 2, 400).round(1)
    label = (draws.random(400) < expit(0.6 * logits)).astype(np.int64)
    weight = draws.exponential(1.0, 400) if weighted else np.ones(400)
    added = np.concatenate([weight, [weight.mean()] * 2])
    reference = IsotonicRegression(out_of_bounds="clip").fit(
        np.concatenate([logits, [logits.min(), logits.max()]]), np.concatenate([label, [1, 0]]), added
    )
    fitted = fit_isotonic(label, logits, weight if weighted else None)
    places = np.linspace(-9, 9, 301)
    assert expit(fitted(places)) == pytest.approx(reference.predict(places), abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_it_never_falls_and_is_never_0_or_1(seed: int, num_rows: int) -> None:
    draws = np.random.default_rng(seed)
    logits, label = draws.normal(0, 5, num_rows), draws.integers(0, 2, num_rows)
    calibrated = fit_isotonic(label, logits)(np.sort(logits))
    assert np.isfinite(calibrated).all()
    assert (np.diff(calibrated) >= -1e-12).all()


def test_equal_logits_give_one_knot() -> None:
    fitted = fit_isotonic(np.array([0, 1, 1]), np.zeros(3))
    assert fitted.logits == (0.0,)
    assert list(fitted.probabilities) == pytest.approx([3 / 5])
    assert expit(fitted(np.array([-4.0, 4.0]))) == pytest.approx([0.6, 0.6])
