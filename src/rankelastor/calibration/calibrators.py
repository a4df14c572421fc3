"""Calibrators: rising functions from logits to calibrated logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Float64, Shaped
from numpy import ndarray

from rankelastor.logistic import logit

_DECIMALS = 6


class Calibrator(Protocol):
    """A function from logits to calibrated logits that never falls."""

    def __call__(self, logits: Float[ndarray, " example"]) -> Float64[ndarray, " example"]:
        """Compute the calibrated logits."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        ...


@dataclass(frozen=True)
class AffineCalibrator:
    """Compute slope * logit + offset; with the defaults every logit stays as it is.

    Attributes:
        slope: above 0; below 1 it makes probabilities less extreme.
        offset: above 0 it raises all probabilities.

    Example:
        >>> AffineCalibrator(slope=0.5, offset=1.0)(np.array([-2.0, 0.0, 4.0])).tolist()
        [0.0, 1.0, 3.0]
    """

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        assert self.slope > 0, "a slope of 0 or below would turn the order of the rows"

    def __call__(self, logits: Float[ndarray, " example"]) -> Float64[ndarray, " example"]:
        """Compute the calibrated logits."""
        return self.slope * logits.astype(np.float64) + self.offset

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"slope": self.slope, "offset": self.offset}

    def describe(self) -> str:
        """Describe in words what is done.

        Example:
            >>> AffineCalibrator(0.5).describe(), AffineCalibrator(offset=-0.25).describe()
            ('logits are multiplied by 0.5000', '-0.2500 is added to the logits')
        """
        multiplied = f"logits are multiplied by {self.slope:.4f}"
        if self.offset == 0:
            return multiplied
        if self.slope == 1:
            return f"{self.offset:+.4f} is added to the logits"
        return f"{multiplied} and {self.offset:+.4f} is added"


UNCALIBRATED = AffineCalibrator()
"""Leaves every logit as it is."""


@dataclass(frozen=True)
class IsotonicCalibrator:
    """Compute the probability between neighbouring knots in a straight line, and beyond the outer ones as theirs.

    Attributes:
        logits: the places of the knots, rising.
        probabilities: the probability at each knot, never falling, above 0 and below 1.

    Example:
        >>> from rankelastor.logistic import expit
        >>> calibrator = IsotonicCalibrator((-1.0, 1.0), (0.25, 0.75))
        >>> expit(calibrator(np.array([-9.0, -1.0, 0.0, 9.0]))).round(6).tolist()
        [0.25, 0.25, 0.5, 0.75]
    """

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, logits: Float[ndarray, " example"]) -> Float64[ndarray, " example"]:
        """Compute the calibrated logits."""
        probabilities = np.interp(rounded(logits), self.logits, self.probabilities)
        calibrated: Float64[ndarray, " example"] = logit(probabilities)
        return calibrated

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return {"logits": list(self.logits), "probabilities": list(self.probabilities)}


def rounded(logits: Float[ndarray, " example"]) -> Float64[ndarray, " example"]:
    """Round logits to six decimals, so that rows on one step stay on it, whatever the last bits of their logits.

    Example:
        >>> rounded(np.array([0.1 + 0.2])).tolist()
        [0.3]
    """
    return logits.astype(np.float64).round(_DECIMALS)


def calibrator_from(values: Mapping[str, Any]) -> Calibrator:
    """Read a calibrator from what ``as_dict`` gave.

    Raises:
        KeyError: a value is missing.
        TypeError: a value has another type.
        ValueError: a value is out of range.

    Example:
        >>> calibrator_from({"slope": 0.5, "offset": 0.0})
        AffineCalibrator(slope=0.5, offset=0.0)
    """
    if "logits" in values:
        places, probabilities = (np.asarray(values[name], dtype=np.float64) for name in ("logits", "probabilities"))
        _check_knots(places, probabilities)
        return IsotonicCalibrator(tuple(places.tolist()), tuple(probabilities.tolist()))
    slope, offset = float(values["slope"]), float(values["offset"])
    if not (0 < slope < np.inf and np.isfinite(offset)):
        raise ValueError(f"a slope must be above 0 and an offset finite, but {slope} and {offset} were given")
    return AffineCalibrator(slope, offset)


def _check_knots(places: Shaped[ndarray, "*any"], probabilities: Shaped[ndarray, "*other"]) -> None:
    if places.ndim != 1 or places.shape != probabilities.shape or not len(places):
        raise ValueError(
            f"each knot needs a logit and a probability, but {places.shape} {probabilities.shape} are given"
        )
    rises = np.isfinite(places).all() and (np.diff(places) > 0).all() and (np.diff(probabilities) >= 0).all()
    if not (rises and probabilities[0] > 0 and probabilities[-1] < 1):
        raise ValueError("knots must rise, with probabilities between 0 and 1, but do not")
