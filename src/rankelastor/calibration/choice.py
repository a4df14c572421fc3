"""Choose the calibrator of one task: fit what was asked for, if the rows allow it and, for ``auto``, if it helps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from numpy import ndarray

from rankelastor.calibration.affine_fit import fit_offset, fit_platt, fit_temperature, shrink_to_rate
from rankelastor.calibration.calibrators import UNCALIBRATED, AffineCalibrator, Calibrator
from rankelastor.calibration.isotonic_fit import fit_isotonic
from rankelastor.config.calibration import CalibrationKind
from rankelastor.logistic import expit
from rankelastor.metrics.likelihood import row_losses
from rankelastor.metrics.weighted import weighted_mean

ENOUGH_OF_EACH_CLASS = 50
"""Rows of either class from which a slope or a step function is fitted."""
ENOUGH_FOR_AN_OFFSET = 10
"""Rows of either class from which an offset alone is fitted."""
ENOUGH_FOR_A_MEAN = 100
"""Rows of valid from which their mean probability says where the logits lie."""
MOST_ERRORS = 3.0
"""Standard errors by which the label rate of valid may differ from that of train before it counts alone."""
LEAST_GAIN = 0.5
"""Standard errors of the gain on held-out rows above which ``auto`` keeps a calibrator: less is as likely harm."""
NUM_PARTS = 5
"""Parts of valid, each of which is held out once."""

FittedKind = Literal["platt", "isotonic", "temperature", "offset", "shrunk", "none"]
_Fit = Callable[..., Calibrator | None]
_FITS: dict[str, _Fit] = {
    "platt": fit_platt,
    "isotonic": fit_isotonic,
    "temperature": fit_temperature,
    "offset": fit_offset,
}


class LabelMass(NamedTuple):
    """Total weight of the rows of a split with either label, counted as in metrics.

    Attributes:
        positive: of those with label 1.
        negative: of those with label 0.
    """

    positive: float
    negative: float

    @property
    def total(self) -> float:
        """Weight of all rows."""
        return self.positive + self.negative

    @property
    def rate(self) -> float:
        """The label rate."""
        return self.positive / self.total


@dataclass(frozen=True)
class CalibratorChoice:
    """The calibrator of one task, and why it is this one.

    Attributes:
        kind: what was fitted; ``none`` leaves the logits as they are, and ``shrunk`` is ``shrink_to_rate``.
        calibrator: the fitted function.
        reason: why this kind was taken, in words; empty if it is the one that was asked for.
        num_positive: rows of valid with label 1 and a weight above 0.
        num_negative: those with label 0.
        held_out_before: logloss of rows of valid that were held out, in nats, without calibration; None if ``auto`` was
            not asked for.
        held_out_after: their logloss when they are calibrated by a function that was fitted on the others.
    """

    kind: FittedKind
    calibrator: Calibrator
    reason: str = ""
    num_positive: int = 0
    num_negative: int = 0
    held_out_before: float | None = None
    held_out_after: float | None = None

    @property
    def is_makeshift(self) -> bool:
        """Whether another calibrator took the place of the one asked for, without a comparison on held-out rows."""
        return bool(self.reason) and self.held_out_before is None

    def describe(self) -> str:
        """Describe the calibrator in a line.

        Example:
            >>> CalibratorChoice("platt", AffineCalibrator(0.61, -0.2)).describe()
            'platt, logits are multiplied by 0.6100 and -0.2000 is added'
            >>> CalibratorChoice("none", UNCALIBRATED, "valid holds too few rows").describe()
            'none, since valid holds too few rows'
        """
        since = f", since {self.reason}" if self.reason else ""
        if not isinstance(self.calibrator, AffineCalibrator) or self.kind == "none":
            return f"{self.kind}{since}"
        return f"{self.kind}, {self.calibrator.describe()}{since}"


def choose_calibrator(
    kind: CalibrationKind,
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
    *,
    train: LabelMass | None = None,
) -> CalibratorChoice:
    """Fit the kind that was asked for; with too few rows of a class an offset alone, or nothing.

    ``auto`` fits Platt's slope and offset, and keeps them if they lower the logloss of five parts of the rows, each
    calibrated by what is fitted on the other four, by half a standard error. Parts are dealt out in order within each
    class. With too few rows of a class for a slope it looks at no label of valid but for the rate: the logits are
    multiplied by .75, and the mean probability of valid becomes the label rate of train and valid together, or of valid
    alone if the two differ by more than three standard errors.

    Args:
        kind: what was asked for.
        label: 0 or 1.
        logits: finite, corrected for what training did to the odds.
        weight: weight of each example, or None.
        train: the labels of train; None: ``auto`` takes no more of few rows than the other kinds.

    Example:
        >>> choice = choose_calibrator("auto", np.array([0, 1]), np.array([-1.0, 1.0]))
        >>> choice.kind, choice.reason
        ('none', 'valid holds 1 rows with label 1 and 1 with label 0, fewer than 10 of one')
    """
    has_weight = np.ones(len(label), dtype=np.bool_) if weight is None else weight > 0
    num_positive = int((has_weight & (label > 0)).sum())
    num_negative = int((has_weight & (label <= 0)).sum())
    fewest = min(num_positive, num_negative)
    if kind == "auto" and train is not None and _is_shrunk(fewest, num_positive + num_negative, train):
        mass = _mass(label, weight)
        valid = LabelMass(float(mass[label > 0].sum()), float(mass[label <= 0].sum()))
        rate = _rate_of_both(train, valid, num_rows=num_positive + num_negative)
        reason = f"{_has(num_positive, num_negative)} {ENOUGH_OF_EACH_CLASS} of one, which allow no slope of their own"
        shrunk = shrink_to_rate(rate, logits, weight)
        return CalibratorChoice("shrunk", shrunk, reason, num_positive, num_negative)
    fitted, reason = _allowed(kind, num_positive, num_negative)
    found = _fitted(fitted, reason, label, logits, weight)
    if kind == "auto" and found.kind != "none":
        found = _kept_if_it_helps(found, label, logits, weight)
    return replace(found, num_positive=num_positive, num_negative=num_negative)


def _is_shrunk(fewest: int, num_rows: int, train: LabelMass) -> bool:
    """Tell whether there are too few rows of a class for a slope, but enough in train for the rate."""
    has_rate = min(train) >= ENOUGH_FOR_AN_OFFSET and num_rows >= ENOUGH_FOR_A_MEAN
    return 0 < fewest < ENOUGH_OF_EACH_CLASS and has_rate


def _rate_of_both(train: LabelMass, valid: LabelMass, *, num_rows: int) -> float:
    """Compute the label rate of train and valid together, or of valid alone if that of train is not the same.

    Example:
        >>> train = LabelMass(100, 900)  # .1 has a standard error of .03 in 100 rows
        >>> _rate_of_both(train, LabelMass(2, 98), num_rows=100), _rate_of_both(train, LabelMass(20, 80), num_rows=100)
        (0.09272727272727273, 0.2)
    """
    error = math.sqrt(train.rate * (1 - train.rate) / num_rows)
    if abs(valid.rate - train.rate) > MOST_ERRORS * error:
        return valid.rate
    return (train.positive + valid.positive) / (train.total + valid.total)


def _has(num_positive: int, num_negative: int) -> str:
    return f"valid holds {num_positive:,} rows with label 1 and {num_negative:,} with label 0, fewer than"


def _allowed(kind: CalibrationKind, num_positive: int, num_negative: int) -> tuple[FittedKind, str]:
    """Return what may be fitted on these numbers of rows, and the reason where it is not what was asked for."""
    wanted: FittedKind = "platt" if kind == "auto" else kind
    if wanted == "none":
        return "none", ""
    fewest = min(num_positive, num_negative)
    has = _has(num_positive, num_negative)
    if fewest < ENOUGH_FOR_AN_OFFSET:
        return "none", f"{has} {ENOUGH_FOR_AN_OFFSET} of one"
    if fewest < ENOUGH_OF_EACH_CLASS and wanted != "offset":
        return "offset", f"{has} {ENOUGH_OF_EACH_CLASS} of one, which allows an offset alone"
    return wanted, ""


def _fitted(
    kind: FittedKind,
    reason: str,
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None,
) -> CalibratorChoice:
    if kind == "none":
        return CalibratorChoice("none", UNCALIBRATED, reason)
    calibrator = _FITS[kind](label, logits, weight)
    if calibrator is None:
        return CalibratorChoice("none", UNCALIBRATED, f"the slope of {kind} on valid is not above 0")
    return CalibratorChoice(kind, calibrator, reason)


def _kept_if_it_helps(
    found: CalibratorChoice,
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None,
) -> CalibratorChoice:
    """Keep a calibrator if its kind lowers the logloss of rows that were held out by half a standard error."""
    held_out = _held_out(found.kind, label, logits, weight)
    before, after = (row_losses(label, expit(each)) for each in (logits, held_out))
    mass = _mass(label, weight)
    gain = float(np.average(before - after, weights=mass))
    error = math.sqrt(float((mass**2 * (before - after - gain) ** 2).sum())) / float(mass.sum())
    measured = replace(
        found,
        held_out_before=weighted_mean(before, weight),
        held_out_after=weighted_mean(after, weight),
    )
    if gain > LEAST_GAIN * error:
        return measured
    reason = (
        f"{found.kind} does not lower the logloss of rows of valid that were held out by half a standard error "
        f"({measured.held_out_before:.6f} to {measured.held_out_after:.6f})"
    )
    return replace(measured, kind="none", calibrator=UNCALIBRATED, reason=reason)


def _held_out(
    kind: FittedKind,
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None,
) -> Float64[ndarray, " example"]:
    """Calibrate each part of the rows by what is fitted on the others."""
    part_of = _parts(label, num_parts=NUM_PARTS)
    calibrated = logits.astype(np.float64)
    for part in range(NUM_PARTS):
        is_held: Bool[ndarray, " example"] = part_of == part
        others = _FITS[kind](label[~is_held], logits[~is_held], None if weight is None else weight[~is_held])
        if others is not None:
            calibrated[is_held] = others(logits[is_held])
    return calibrated


def _mass(
    label: Shaped[ndarray, " example"], weight: Float[ndarray, " example"] | None
) -> Float64[ndarray, " example"]:
    """Return the weight of each row; without weights it is 1."""
    return np.ones(len(label)) if weight is None else weight.astype(np.float64)


def _parts(label: Shaped[ndarray, " example"], *, num_parts: int) -> Int64[ndarray, " example"]:
    """Deal out the rows of each class in order.

    Example:
        >>> _parts(np.array([1, 0, 0, 1, 0]), num_parts=2).tolist()
        [0, 0, 1, 1, 0]
    """
    is_positive = label > 0
    rank = np.where(is_positive, np.cumsum(is_positive), np.cumsum(~is_positive)) - 1
    return rank.astype(np.int64) % num_parts
