"""Calibration before and after logits were corrected for thinned negatives and weighted positives."""

from __future__ import annotations

from rankelastor.evaluation.scoring import Predictions
from rankelastor.runs.result import CalibrationFigures

_METRICS = ("calibration_ratio", "expected_calibration_error")


def calibration_of(predictions: Predictions) -> CalibrationFigures:
    """Measure the calibration of the same rows, with the same weights, without the correction of logits and with it."""
    return CalibrationFigures(
        logit_shift=round(predictions.odds.logit_shift, 6),
        before=predictions.uncorrected().metrics(_METRICS).as_dict(),
        after=predictions.metrics(_METRICS).as_dict(),
    )
