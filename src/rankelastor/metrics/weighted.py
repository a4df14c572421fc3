"""Means by weight."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray


def weighted_mean(values: Shaped[ndarray, " example"], weight: Float[ndarray, " example"] | None) -> float:
    """Compute the mean of values by weight, summed in float64; nan where the weights add up to 0.

    Without weights it is ``np.mean``.

    Example:
        >>> weighted_mean(np.array([1.0, 2.0]), np.array([3.0, 1.0]))
        1.25
    """
    if weight is None:
        return float(np.mean(values))
    weight = weight.astype(np.float64)
    return float(np.average(values, weights=weight)) if weight.any() else math.nan
