"""Calibrators are stored as JSON, and damaged ones are refused."""

import json
from typing import Any

import numpy as np
import pytest

from rankelastor.calibration.calibrators import AffineCalibrator, Calibrator, IsotonicCalibrator, calibrator_from


@pytest.mark.parametrize(
    "calibrator", [AffineCalibrator(0.123456789012345, -3.3), IsotonicCalibrator((-1.5, 0.1, 2.0), (0.1, 0.1, 1 / 3))]
)
def test_json_holds_the_same_calibrator(calibrator: Calibrator) -> None:
    assert calibrator_from(json.loads(json.dumps(calibrator.as_dict()))) == calibrator


@pytest.mark.parametrize(
    "values",
    [
        {"slope": 0.0, "offset": 1.0},
        {"slope": -1.0, "offset": 1.0},
        {"slope": 1.0, "offset": float("inf")},
        {"slope": 1.0},
        {"slope": None, "offset": 0.0},
        {"logits": [0.0, 1.0], "probabilities": [0.5]},
        {"logits": [], "probabilities": []},
        {"logits": [0.0, 0.0], "probabilities": [0.5, 0.6]},
        {"logits": [0.0, 1.0], "probabilities": [0.6, 0.5]},
        {"logits": [0.0, 1.0], "probabilities": [0.6, 1.0]},
        {"logits": [float("nan"), 1.0], "probabilities": [0.6, 0.7]},
    ],
)
def test_what_is_no_rising_function_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        calibrator_from(values)


def test_the_ends_of_a_step_function_hold_beyond_them() -> None:
    calibrator = IsotonicCalibrator((-1.0, 1.0), (0.2, 0.8))
    assert np.allclose(calibrator(np.array([-50.0, 50.0])), calibrator(np.array([-1.0, 1.0])))
