"""The logistic function and its inverse in float64: SciPy's numbers without its import of .3 s."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray

_NEAR_HALF = (0.3, 0.65)
"""Probabilities between these have logits near 0, which the quotient of the odds would round."""


def expit(logits: Float[ndarray, "*shape"]) -> Float64[ndarray, "*shape"]:
    """Compute the probabilities 1 / (1 + exp(-logit)) of logits; equal logits have equal ones, at any place.

    PyTorch's sigmoid may give equal logits of a long vector other last bits, which breaks ties of examples.

    Example:
        >>> expit(np.array([-np.inf, 0.0, np.log(3.0), np.inf])).tolist()
        [0.0, 0.5, 0.75, 1.0]
    """
    with np.errstate(over="ignore"):
        probabilities: Float64[ndarray, "*shape"] = 1.0 / (1.0 + np.exp(-np.asarray(logits, dtype=np.float64)))
    return probabilities


def logit(probabilities: Float[ndarray, "*shape"]) -> Float64[ndarray, "*shape"]:
    """Compute the logits log(p / (1 - p)) of probabilities; 0 gives minus infinity, 1 infinity, all beyond NaN.

    Example:
        >>> logit(np.array([0.0, 0.5, 0.75, 1.0])).round(6).tolist()
        [-inf, 0.0, 1.098612, inf]
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        twice = 2.0 * (probabilities - 0.5)
        near = np.log1p(twice) - np.log1p(-twice)
        far = np.log(probabilities / (1.0 - probabilities))
    is_near = (probabilities >= _NEAR_HALF[0]) & (probabilities <= _NEAR_HALF[1])
    logits: Float64[ndarray, "*shape"] = np.where(is_near, near, far)
    return logits
