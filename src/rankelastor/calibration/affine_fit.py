"""Fit the slope and the offset of logits: Platt's method, and each of the two alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Shaped
from numpy import ndarray

from rankelastor.calibration.calibrators import AffineCalibrator
from rankelastor.logistic import expit

SHRINKING_SLOPE = 0.75
"""Slope of logits where too few rows of a label allow to fit one. Measured: docs/results.md, very small logs."""
_MOST_STEPS = 100
_SMALLEST_STEP = 1e-10
_RIDGE = 1e-12
"""Added to the curvature, relative to its size, so that it can be inverted where logits do not differ."""


def fit_platt(
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> AffineCalibrator | None:
    """Fit slope and offset by the likelihood, with Platt's targets; None if the slope is not above 0.

    The targets are (n1 + 1) / (n1 + 2) for the n1 positive and 1 / (n0 + 2) for the n0 negative rows, so that the slope
    stays finite where logits part the labels. Weights are scaled to a mean of 1 before they are counted.

    Args:
        label: 0 or 1, at least one of each.
        logits: finite.
        weight: weight of each example, or None.

    Example:
        >>> logits = np.repeat([-2.0, 2.0], 100)  # claim .12 and .88, where .3 and .7 are true
        >>> label = np.tile(np.arange(100) < 30, 2) ^ np.repeat([False, True], 100)
        >>> fitted = fit_platt(label, logits)
        >>> expit(np.array([fitted.slope * 2])).round(2), round(fitted.offset, 6)
        (array([0.7]), 0.0)

    Source: Platt 1999, Probabilistic outputs for support vector machines, section 2.2; Lin, Lin and Weng 2007.
    """
    weight = _scaled(label, weight)
    positive, negative = float(weight[label > 0].sum()), float(weight[label <= 0].sum())
    target = np.where(label > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    slope, offset = _maximise(target, np.stack([logits.astype(np.float64), np.ones(len(logits))], axis=1), weight)
    return AffineCalibrator(slope, offset) if slope > 0 else None


def fit_temperature(
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> AffineCalibrator | None:
    """Fit the slope alone, with Platt's targets as ``fit_platt``; None if it is not above 0.

    The slope is 1 over the temperature of Guo et al. 2017, On calibration of modern neural networks.

    Example:
        >>> logits = np.repeat([-2.0, 2.0], 100)
        >>> label = np.tile(np.arange(100) < 30, 2) ^ np.repeat([False, True], 100)
        >>> round(fit_temperature(label, logits).slope * 2, 2)  # about the logit of .7
        0.83
    """
    weight = _scaled(label, weight)
    positive, negative = float(weight[label > 0].sum()), float(weight[label <= 0].sum())
    target = np.where(label > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    (slope,) = _maximise(target, logits.astype(np.float64)[:, None], weight)
    return AffineCalibrator(slope=slope) if slope > 0 else None


def fit_offset(
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> AffineCalibrator:
    """Fit the offset alone: the mean probability becomes the label rate.

    Example:
        >>> fitted = fit_offset(np.array([1, 0, 0, 0]), np.zeros(4))  # the logit of 1 / 4 is -ln 3
        >>> round(fitted.offset, 6)
        -1.098612
    """
    return AffineCalibrator(offset=_offset_for((label > 0).astype(np.float64), logits.astype(np.float64), weight))


def shrink_to_rate(
    rate: float, logits: Float[ndarray, " example"], weight: Float[ndarray, " example"] | None = None
) -> AffineCalibrator:
    """Multiply logits by a fixed slope, and find the offset at which the mean probability is ``rate``.

    No label is looked at, so that it needs none.

    Args:
        rate: the label rate, above 0 and below 1.
        logits: finite.
        weight: weight of each example, or None.

    Example:
        >>> shrunk = shrink_to_rate(0.5, np.array([1.0, 5.0]))  # .75 times 1 and 5 lie about 2.25
        >>> shrunk.slope, round(shrunk.offset, 6)
        (0.75, -2.25)
    """
    shrunk = SHRINKING_SLOPE * logits.astype(np.float64)
    return AffineCalibrator(SHRINKING_SLOPE, _offset_for(np.full(len(shrunk), rate), shrunk, weight))


def _offset_for(
    target: Float64[ndarray, " example"],
    logits: Float64[ndarray, " example"],
    weight: Float[ndarray, " example"] | None,
) -> float:
    """Find the offset at which the mean probability is the mean of the wanted ones."""
    (offset,) = _maximise(target, np.ones((len(logits), 1)), _scaled(logits, weight), shift=logits)
    return offset


def _scaled(
    values: Shaped[ndarray, " example"], weight: Float[ndarray, " example"] | None
) -> Float64[ndarray, " example"]:
    """Scale the weights of some values to a mean of 1."""
    if weight is None:
        return np.ones(len(values))
    scaled: Float64[ndarray, " example"] = weight.astype(np.float64) / weight.mean(dtype=np.float64)
    return scaled


def _maximise(
    target: Float64[ndarray, " example"],
    columns: Float64[ndarray, "example column"],
    weight: Float64[ndarray, " example"],
    *,
    shift: Float64[ndarray, " example"] | float = 0.0,
) -> tuple[float, ...]:
    """Find the coefficients of logistic regression by Newton's method, with steps halved until the loss falls.

    Args:
        target: wanted probabilities.
        columns: what the coefficients multiply; a first of two is the logit, whose coefficient starts at 1.
        weight: weights of the examples.
        shift: what is added to the logits.
    """
    coefficients = np.zeros(columns.shape[1])
    loss = _loss(target, columns @ coefficients + shift, weight)
    for _ in range(_MOST_STEPS):
        probability = expit(columns @ coefficients + shift)
        gradient = columns.T @ (weight * (probability - target))
        curvature = (columns * (weight * probability * (1 - probability))[:, None]).T @ columns
        curvature += _RIDGE * max(float(np.trace(curvature)), _RIDGE) * np.eye(len(gradient))
        step = np.linalg.solve(curvature, gradient)
        while np.abs(step).max() > _SMALLEST_STEP:
            tried = _loss(target, columns @ (coefficients - step) + shift, weight)
            if tried <= loss:
                break
            step /= 2
        else:
            break
        coefficients, loss = coefficients - step, tried
    return tuple(map(float, coefficients))


def _loss(
    target: Float64[ndarray, " example"], logits: Float64[ndarray, " example"], weight: Float64[ndarray, " example"]
) -> float:
    """Compute the sum of cross-entropies of wanted probabilities."""
    return float((weight * (np.logaddexp(0.0, logits) - target * logits)).sum())
