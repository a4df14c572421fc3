"""Whether probabilities agree with how often the label is 1."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray


def calibration_ratio(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
) -> float:
    """Compute the mean prediction over the mean label, by weight; nan without a positive label.

    At 1 the predictions are right on average; above 1 they are too high.

    Example:
        >>> calibration_ratio(np.array([1, 0]), np.array([0.5, 0.25]))
        0.75
        >>> calibration_ratio(np.array([1, 0]), np.array([0.5, 0.25]), weight=np.array([1.0, 2.0]))
        1.0
    """
    if weight is not None:
        label, probability = label * weight.astype(np.float64), probability * weight.astype(np.float64)
    positive = float(np.sum(label, dtype=np.float64))
    return float(np.sum(probability, dtype=np.float64)) / positive if positive else math.nan


def expected_calibration_error(
    label: Shaped[ndarray, " example"],
    probability: Float[ndarray, " example"],
    *,
    weight: Float[ndarray, " example"] | None = None,
    num_bins: int = 20,
) -> float:
    """Compute the mean over bins of |mean prediction - mean label|, each bin by what it holds; in 0..1.

    Bins hold equally many examples, or with weights equal total weight, in the order of the predictions (equal mass).
    Without weights an example lies in one bin, and there are at most as many bins as examples. With weights an example
    across the edge of two bins counts in both, in proportion, so that the scale of the weights does not matter. It is
    nan where the weights add up to 0, or without examples.

    Example:
        >>> expected_calibration_error(np.array([0, 1, 1, 1]), np.array([0.0, 0.5, 1.0, 1.0]), num_bins=2)
        0.125

    Source: Nixon et al. 2019, arXiv 1904.01685 (adaptive calibration error).
    """
    if weight is not None:
        counted = weight > 0
        label, probability, weight = label[counted], probability[counted], weight[counted]
    if not len(label):
        return math.nan
    order = np.argsort(probability, kind="stable")
    gap = probability[order].astype(np.float64) - label[order]
    if weight is not None:
        return _error_by_weight(gap, weight[order].astype(np.float64), num_bins)
    edges = np.linspace(0, len(order), min(num_bins, len(order)) + 1).round().astype(np.int64)
    bin_sums = np.add.reduceat(gap, edges[:-1])
    return float(np.abs(bin_sums).sum() / len(order))


def _error_by_weight(gap: Float[ndarray, " example"], weight: Float[ndarray, " example"], num_bins: int) -> float:
    """Cut the cumulative sum of the gaps, a piecewise linear function of the cumulative weight, at the bin edges."""
    mass = np.concatenate([[0.0], np.cumsum(weight)])
    cumulative_gap = np.concatenate([[0.0], np.cumsum(weight * gap)])
    edges = np.linspace(0, mass[-1], num_bins + 1)
    bin_sums = np.diff(np.interp(edges, mass, cumulative_gap))
    return float(np.abs(bin_sums).sum() / mass[-1])
