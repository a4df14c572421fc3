"""Calibrate a trained ranker on valid, and measure calibration before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rankelastor.calibration.calibration import NO_CALIBRATION, Calibration, fit_calibration
from rankelastor.calibration.calibrators import AffineCalibrator
from rankelastor.calibration.choice import CalibratorChoice, LabelMass
from rankelastor.config.calibration import CalibrationSettings
from rankelastor.evaluation.scoring import Predictions
from rankelastor.metrics.report import DECIMALS
from rankelastor.runs.result import CalibrationFigures, CalibratorFigures
from rankelastor.training.label_counts import LabelCounts

_METRICS = ("calibration_ratio", "expected_calibration_error")
_METRICS_OF_CALIBRATED = ("auc", "logloss", *_METRICS)


def calibrate(
    folder: Path,
    valid: Predictions,
    settings: CalibrationSettings,
    train: Sequence[LabelCounts],
    *,
    say: Callable[[str], None],
) -> Calibration:
    """Fit the calibration of a run on its predictions for valid, corrected by their odds, and store it in the run.

    Args:
        folder: the run folder.
        valid: predictions for valid that are not calibrated.
        settings: what the recipe asks for.
        train: the labels of train, by task.
        say: receives a line about the calibrator of each task, for the log of the run.

    Raises:
        StorageError: ``calibration.json`` cannot be written.
    """
    if settings.kind == "none":
        return NO_CALIBRATION
    calibration = fit_calibration(
        settings.kind,
        valid.label,
        valid.logits,
        tasks=valid.tasks,
        weight=valid.metric_weight,
        train=[LabelMass(each.positive, each.negative * valid.odds.negative_weight) for each in train],
    )
    calibration.write(folder)
    for task, choice in calibration.choices.items():
        say(f"calibration{f' of {task}' if len(valid.tasks) > 1 else ''}: {choice.describe()}")
    return calibration


def calibration_of(predictions: Predictions, calibration: Calibration) -> CalibrationFigures:
    """Measure the calibration of the same rows, with the same weights, before and after logits were changed.

    Args:
        predictions: predictions that are not calibrated.
        calibration: the calibration of the run.
    """
    names = _METRICS_OF_CALIBRATED if calibration.choices else _METRICS
    shift = predictions.odds.logit_shift
    return CalibrationFigures(
        logit_shift=round(shift, 6),
        before=predictions.uncorrected().metrics(names).as_dict(),
        after=predictions.calibrated(calibration).metrics(names).as_dict(),
        corrected=predictions.metrics(names).as_dict() if shift and calibration.choices else None,
    )


def calibrators_of(calibration: Calibration) -> dict[str, CalibratorFigures]:
    """Describe the calibrator of each task for ``result.json``."""
    return {task: _figures(choice) for task, choice in calibration.choices.items()}


def _figures(choice: CalibratorChoice) -> CalibratorFigures:
    affine = choice.calibrator if isinstance(choice.calibrator, AffineCalibrator) and choice.kind != "none" else None
    before, after = choice.held_out_before, choice.held_out_after
    return CalibratorFigures(
        kind=choice.kind,
        num_positive=choice.num_positive,
        num_negative=choice.num_negative,
        reason=choice.reason or None,
        slope=None if affine is None else round(affine.slope, DECIMALS),
        offset=None if affine is None else round(affine.offset, DECIMALS),
        held_out_before=None if before is None else round(before, DECIMALS),
        held_out_after=None if after is None else round(after, DECIMALS),
    )
