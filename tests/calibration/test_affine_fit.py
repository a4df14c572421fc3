"""Slope and offset: hand-computed values, and scipy's minimiser as a naive reference."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import minimize
from scipy.special import expit, logit

from rankelastor.calibration.affine_fit import fit_offset, fit_platt, fit_temperature
from rankelastor.metrics.ranking import auc


def over_confident(
    num_rows: int, *, slope: float, offset: float = 0.0
) -> tuple[Int[ndarray, " row"], Float[ndarray, " row"]]:
    """Logits whose true values are ``slope`` times as large, plus an offset."""
    draws = np.random.default_rng(3)
    logits = draws.normal(-1.0, 2.0, num_rows)
    return (draws.random(num_rows) < expit(slope * logits + offset)).astype(np.int64), logits


def test_two_values_of_the_logit_get_the_logits_of_their_rates_but_for_the_targets_of_platt() -> None:
    """Of 1,000 rows at -3 a tenth is positive, of 1,000 at +3 a half: the line through both points is exact."""
    logits = np.repeat([-3.0, 3.0], 1000)
    label = np.concatenate([np.arange(1000) < 100, np.arange(1000) < 500]).astype(np.int64)
    high, low = 601 / 602, 1 / 1402  # targets of 600 positive and 1,400 negative rows
    rates = [(100 * high + 900 * low) / 1000, (500 * high + 500 * low) / 1000]
    slope = (logit(rates[1]) - logit(rates[0])) / 6
    fitted = fit_platt(label, logits)
    assert fitted is not None
    assert fitted.slope == pytest.approx(slope, abs=1e-9)
    assert fitted.offset == pytest.approx(logit(rates[0]) + 3 * slope, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_platt_is_the_minimum_that_another_minimiser_finds(weighted: bool) -> None:
    label, logits = over_confident(500, slope=0.5, offset=0.3)
    weight = np.random.default_rng(4).exponential(3.0, 500) if weighted else None
    mass = np.ones(500) if weight is None else weight / weight.mean()
    positive, negative = mass[label == 1].sum(), mass[label == 0].sum()
    target = np.where(label == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(parameters: Float[ndarray, " parameter"]) -> float:
        scores = parameters[0] * logits + parameters[1]
        return float((mass * (np.logaddexp(0, scores) - target * scores)).sum())

    reference = minimize(loss, [1.0, 0.0], tol=1e-12).x
    fitted = fit_platt(label, logits, weight)
    assert fitted is not None
    assert [fitted.slope, fitted.offset] == pytest.approx(reference, abs=1e-4)


def test_platt_finds_what_made_the_logits_too_large() -> None:
    fitted = fit_platt(*over_confident(200_000, slope=0.6, offset=-0.4))
    assert fitted is not None
    assert (fitted.slope, fitted.offset) == pytest.approx((0.6, -0.4), abs=0.03)


def test_temperature_has_no_offset() -> None:
    fitted = fit_temperature(*over_confident(200_000, slope=0.6))
    assert fitted is not None
    assert fitted.slope == pytest.approx(0.6, abs=0.02)
    assert fitted.offset == 0


def test_logits_that_part_the_labels_get_a_finite_slope() -> None:
    logits = np.repeat([-9.0, 9.0], 60)
    fitted = fit_platt((logits > 0).astype(np.int64), logits)
    assert fitted is not None
    assert fitted.slope * 9 == pytest.approx(math.log(61), abs=1e-6)  # the logit of the target 61 / 62


@pytest.mark.parametrize("fit", [fit_platt, fit_temperature])
def test_a_ranking_in_the_wrong_direction_has_no_slope(fit: object) -> None:
    label, logits = over_confident(1000, slope=0.5)
    assert callable(fit)
    assert fit(label, -logits - 2.0) is None


def test_equal_logits_are_no_error() -> None:
    label = np.repeat([0, 1], 50)
    assert fit_temperature(label, np.zeros(100)) is None
    fitted = fit_platt(label, np.full(100, 3.0))
    assert fitted is None or fitted(np.full(1, 3.0))[0] == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(-6, 6), st.booleans())
def test_an_offset_makes_the_mean_probability_the_label_rate(seed: int, shift: float, weighted: bool) -> None:
    draws = np.random.default_rng(seed)
    label = np.concatenate([[0, 1], draws.integers(0, 2, 40)])
    logits = draws.normal(shift, 3.0, 42)
    weight = draws.exponential(1.0, 42) + 0.01 if weighted else None
    calibrated = fit_offset(label, logits, weight)(logits)
    assert np.average(expit(calibrated), weights=weight) == pytest.approx(np.average(label, weights=weight), abs=1e-6)


def test_weights_count_as_rows_do() -> None:
    label, logits = over_confident(300, slope=0.7)
    repeats = np.random.default_rng(1).integers(1, 4, 300)
    assert fit_offset(label, logits, repeats.astype(np.float64)).offset == pytest.approx(
        fit_offset(np.repeat(label, repeats), np.repeat(logits, repeats)).offset, abs=1e-9
    )


def test_platt_keeps_the_order_of_the_rows() -> None:
    label, logits = over_confident(2000, slope=0.4)
    fitted = fit_platt(label, logits)
    assert fitted is not None
    assert auc(label, expit(fitted(logits))) == auc(label, expit(logits))
