import numpy as np
import pytest

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
