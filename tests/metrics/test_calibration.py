import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrics.weighted_rows import Rows, weighted_rows

from rankelastor.metrics.calibration import calibration_ratio, expected_calibration_error


def test_calibration_ratio_above_one_predicts_too_much() -> None:
    assert calibration_ratio(np.array([1, 0, 0, 0]), np.array([0.5, 0.5, 0.5, 0.5])) == 2.0


def test_calibration_ratio_without_a_click_is_not_defined() -> None:
    assert np.isnan(calibration_ratio(np.array([0, 0]), np.array([0.5, 0.5])))


def test_calibrated_bins_have_no_error() -> None:
    probability = np.repeat([0.25, 0.75], 4)
    label = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    assert expected_calibration_error(label, probability, num_bins=2) == pytest.approx(0.0)


def test_errors_of_opposite_sign_in_different_bins_do_not_cancel() -> None:
    probability = np.repeat([0.25, 0.75], 2)
    label = np.array([1, 1, 0, 0])
    assert expected_calibration_error(label, probability, num_bins=2) == pytest.approx(0.75)
    assert expected_calibration_error(label, probability, num_bins=1) == pytest.approx(0.0)


def test_more_bins_than_examples_are_one_example_a_bin() -> None:
    assert expected_calibration_error(np.array([1, 0]), np.array([0.9, 0.2])) == pytest.approx((0.1 + 0.2) / 2)


@given(weighted_rows())
def test_a_weight_counts_as_repeated_rows_in_the_calibration_ratio(rows: Rows) -> None:
    label, probability, _, _ = rows.repeated()
    weighted = calibration_ratio(rows.label, rows.probability, weight=rows.weight)
    assert weighted == pytest.approx(calibration_ratio(label, probability), nan_ok=True)


@given(weighted_rows().filter(lambda rows: rows.weight.any()), st.data())
def test_a_weight_counts_as_repeated_rows_in_the_calibration_error(rows: Rows, data: st.DataObject) -> None:
    """Use bins that divide the repeated rows evenly, so that no edge is rounded to a whole example."""
    label, probability, _, _ = rows.repeated()
    num_bins = data.draw(st.sampled_from([n for n in range(1, len(label) + 1) if len(label) % n == 0]))
    weighted = expected_calibration_error(rows.label, rows.probability, weight=rows.weight, num_bins=num_bins)
    assert weighted == pytest.approx(expected_calibration_error(label, probability, num_bins=num_bins), abs=1e-12)


@given(weighted_rows().filter(lambda rows: rows.weight.any()), st.floats(0.01, 100))
def test_the_scale_of_the_weights_does_not_matter(rows: Rows, scale: float) -> None:
    for metric in (calibration_ratio, expected_calibration_error):
        weight = rows.weight.astype(float)
        plain = metric(rows.label, rows.probability, weight=weight)
        scaled = metric(rows.label, rows.probability, weight=weight * scale)
        assert scaled == pytest.approx(plain, abs=1e-9, nan_ok=True)


def test_an_example_across_an_edge_counts_in_both_bins() -> None:
    """Put weights 1, 2, 1 into two bins of 2: the first has the gaps .2 and .5, the second .5 and -.1."""
    label, probability = np.array([0, 0, 1]), np.array([0.2, 0.5, 0.9])
    error = expected_calibration_error(label, probability, weight=np.array([1.0, 2.0, 1.0]), num_bins=2)
    assert error == pytest.approx((0.2 + 0.5 + abs(0.5 - 0.1)) / 4)


def test_without_weight_left_calibration_is_not_defined() -> None:
    for metric in (calibration_ratio, expected_calibration_error):
        assert np.isnan(metric(np.array([1, 0]), np.array([0.5, 0.5]), weight=np.zeros(2)))
