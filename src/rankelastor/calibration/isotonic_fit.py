"""Fit a rising function of the logit to the labels: isotonic regression."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from rankelastor.calibration.calibrators import IsotonicCalibrator, rounded


def fit_isotonic(
    label: Shaped[ndarray, " example"],
    logits: Float[ndarray, " example"],
    weight: Float[ndarray, " example"] | None = None,
) -> IsotonicCalibrator:
    """Fit probabilities that never fall with the logit, with the least squared error.

    A row of mean weight with label 1 is added at the smallest logit and one with label 0 at the largest, so that no
    probability is 0 or 1: a single surprise would cost an endless logloss.

    Args:
        label: 0 or 1.
        logits: finite.
        weight: weight of each example, or None.

    Example:
        >>> fitted = fit_isotonic(np.array([0, 0, 1, 0, 1, 1]), np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]))
        >>> fitted.logits, np.round(fitted.probabilities, 6).tolist()  # (0 + 0 + 1) / 3, 1 / 2, 2 / 3
        ((-3.0, -2.0, -1.0, 1.0, 2.0, 3.0), [0.333333, 0.333333, 0.5, 0.5, 0.666667, 0.666667])

    Source: Zadrozny and Elkan 2002, Transforming classifier scores into accurate multiclass probability estimates.
    """
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - takes half a second, and few trainings fit steps

    weight = np.ones(len(label)) if weight is None else weight.astype(np.float64) / weight.mean(dtype=np.float64)
    places, place_of = np.unique(rounded(logits), return_inverse=True)
    mass = np.bincount(place_of, weights=weight)
    positive = np.bincount(place_of, weights=weight * (label > 0))
    mass[0] += 1
    mass[-1] += 1
    positive[0] += 1
    has_mass = mass > 0
    places, mass, positive = places[has_mass], mass[has_mass], positive[has_mass]
    fitted = isotonic_regression(positive / mass, weights=mass).x
    is_edge = np.ones(len(places), dtype=np.bool_)
    is_edge[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    return IsotonicCalibrator(tuple(places[is_edge].tolist()), tuple(fitted[is_edge].tolist()))
