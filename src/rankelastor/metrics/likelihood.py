"""Likelihood of the labels under the probabilities: logloss and normalised entropy."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from rankelastor.metrics.weighted import weighted_mean

PROBABILITY_CLIP = 1e-7


def logloss(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
) -> float:
    """Compute the weighted mean binary cross-entropy in nats; probabilities are clipped to 1e-7 .. 1 - 1e-7.

    It is nan if the weights sum to 0.

    Example:
        >>> round(logloss(np.array([1, 0]), np.array([0.5, 0.5])), 6)
        0.693147
        >>> round(logloss(np.array([1, 0]), np.array([0.5, 0.0]), weight=np.array([1.0, 2.0])), 6)  # ln(2) / 3
        0.231049
    """
    return weighted_mean(row_losses(label, probability), weight)


def row_losses(
    label: Shaped[ndarray, " example"], probability: Float[ndarray, " example"]
) -> Float[ndarray, " example"]:
    """Compute the binary cross-entropy of each row in nats.

    Example:
        >>> row_losses(np.array([1, 0]), np.array([0.5, 0.5])).round(6).tolist()
        [0.693147, 0.693147]
    """
    clipped = np.clip(probability.astype(np.float64), PROBABILITY_CLIP, 1 - PROBABILITY_CLIP)
    losses: Float[ndarray, " example"] = -np.where(label > 0, np.log(clipped), np.log1p(-clipped))
    return losses


def normalized_entropy(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
) -> float:
    """Compute the logloss over the entropy of the base rate, both weighted; nan if all labels are equal.

    At 1 the predictions are as good as always predicting the mean label; lower is better.

    Example:
        >>> normalized_entropy(np.array([1, 0, 0, 0]), np.full(4, 0.25))
        1.0

    Source: He et al. 2014, Practical lessons from predicting clicks on ads at Facebook.
    """
    rate = weighted_mean(label, weight)
    if rate in (0.0, 1.0) or math.isnan(rate):
        return math.nan
    base_entropy = logloss(label, np.full(len(label), rate), weight=weight)
    return logloss(label, probability, weight=weight) / base_entropy
