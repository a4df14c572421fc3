"""The rate at which the oscillation of the rank is damped from layer to layer, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

SMALLEST_NUM_LAYERS = 3
"""Fewest layers: a line through two points has no residuals, hence no standard error."""


@dataclass(frozen=True)
class Damping:
    """Slope of ``log|swing|`` over the layer index: negative where the oscillation is damped.

    Attributes:
        slope: slope of the fitted line; None where it is undefined, see ``reason``.
        standard_error: standard error of the slope, from the residuals of the fit.
        factor: exp(slope), the factor between the swings of consecutive layers.
        reason: why the slope is undefined; None where it is defined.
    """

    slope: float | None
    standard_error: float | None
    factor: float | None
    reason: str | None


def damping(swings: Sequence[float]) -> Damping:
    """Fit the least-squares slope of ``log|swing|`` over the layer index 1, 2, ...

    Range: any number; ``-log 2`` means that each swing is half the one before. Undefined (None, with the reason) for
    fewer than three layers, or if a swing is zero.

    Example:
        >>> fit = damping([8.0, 4.0, 2.0, 1.0])
        >>> round(fit.factor, 6), round(fit.standard_error, 6)
        (0.5, 0.0)
        >>> damping([1.0, 2.0]).reason
        'damping needs at least 3 layers, but there are 2'
    """
    if len(swings) < SMALLEST_NUM_LAYERS:
        return _undefined(f"damping needs at least {SMALLEST_NUM_LAYERS} layers, but there are {len(swings)}")
    for layer, swing in enumerate(swings, start=1):
        if swing == 0:
            return _undefined(f"damping needs swings that are not zero, but that of layer {layer} is")
    heights = [math.log(abs(swing)) for swing in swings]
    layers = range(1, len(swings) + 1)
    middle, height = fmean(layers), fmean(heights)
    spread = sum((layer - middle) ** 2 for layer in layers)
    slope = sum((layer - middle) * (value - height) for layer, value in zip(layers, heights, strict=True)) / spread
    residuals = [value - height - slope * (layer - middle) for layer, value in zip(layers, heights, strict=True)]
    variance = sum(residual**2 for residual in residuals) / (len(swings) - 2)
    return Damping(slope=slope, standard_error=math.sqrt(variance / spread), factor=math.exp(slope), reason=None)


def _undefined(reason: str) -> Damping:
    return Damping(slope=None, standard_error=None, factor=None, reason=reason)
