"""Intervals of a fit by resampling what the seeds do to the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.special import stdtrit

from rankelastor.studies.scaling.power_law import PowerLaw, fit_power_law

NUM_DRAWS = 1000
_SEED = 18
_GRID = np.geomspace(1e-4, 8.0, 400)
_NORMAL = 1.959964
_LEAST_DEGREES = 1

Draws = Float64[ndarray, " draw"]


@dataclass(frozen=True)
class FittedCurve:
    """A power law with the fits of resampled losses.

    Attributes:
        law: the fit of the losses themselves.
        exponents: exponent of each draw.
        floors: floor of each draw.
        scales: scale of each draw.
        num_runs: number of losses.
    """

    law: PowerLaw
    exponents: Draws
    floors: Draws
    scales: Draws
    num_runs: int

    @property
    def exponent_interval(self) -> tuple[float, float]:
        """The 95 % interval of the exponent."""
        return _interval(self.exponents)

    @property
    def floor_interval(self) -> tuple[float, float]:
        """The 95 % interval of the floor."""
        return _interval(self.floors)

    def interval_at(self, size: float, *, reach: float = 3.0) -> tuple[float, float]:
        """Compute the 95 % interval of the mean loss at a size.

        Raises:
            SettingsError: the size lies further outside of the sizes of the fit than ``reach`` times.
        """
        self.law(size, reach=reach)
        return _interval(self.at(size))

    def at(self, size: float) -> Draws:
        """Compute the loss of each draw at a size."""
        found: Draws = self.floors + self.scales * (size / self.law.unit) ** -self.exponents
        return found


def fit_curve(sizes: Sequence[float], losses: Sequence[float], *, floor: float | None = None) -> FittedCurve:
    """Fit a power law to the losses of runs with several seeds a size, and fit it again to 1,000 resampled ones.

    In each draw the loss of a run is that of the fit and a residual of some run, drawn anew, so that also what the law
    does not explain widens the intervals. Residuals are scaled up for what the fit took of them, and for the t
    distribution of their degrees of freedom, since a few runs show less spread than there is.

    Args:
        sizes: N of each run, of at least three different ones.
        losses: loss of each run.
        floor: L_inf, where it is known.

    Raises:
        SettingsError: there are fewer than three sizes.
    """
    law = fit_power_law(sizes, losses, floor=floor)
    number, loss = np.asarray(sizes, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    fitted = np.array([law.at(size) for size in number])
    degrees = max(_LEAST_DEGREES, len(loss) - (2 if floor is not None else 3))
    widening = math.sqrt(len(loss) / degrees) * float(stdtrit(degrees, 0.975)) / _NORMAL
    residuals = (loss - fitted) * widening
    draws = np.random.default_rng(_SEED)
    drawn = fitted + draws.choice(residuals - residuals.mean(), size=(NUM_DRAWS, len(loss)))
    exponents, floors, scales = _fit_many(np.log(number / law.unit), drawn, floor)
    return FittedCurve(law, exponents, floors, scales, len(loss))


def _fit_many(
    relative: Float64[ndarray, " point"], losses: Float64[ndarray, "draw point"], floor: float | None
) -> tuple[Draws, Draws, Draws]:
    """Fit all draws at once: for each the exponent of a fine grid with the smallest sum of squares."""
    power = np.exp(-_GRID[:, None] * relative)
    if floor is None:
        centred = power - power.mean(axis=1, keepdims=True)
        scale = np.maximum(0.0, losses @ centred.T / (centred**2).sum(axis=1))
        lowest = losses.mean(axis=1, keepdims=True) - scale * power.mean(axis=1)
        through_zero = np.maximum(0.0, losses @ power.T / (power**2).sum(axis=1))
        scale, lowest = np.where(lowest < 0, through_zero, scale), np.maximum(lowest, 0.0)
    else:
        scale = np.maximum(0.0, (losses - floor) @ power.T / (power**2).sum(axis=1))
        lowest = np.full_like(scale, floor)
    squares = (
        (losses**2).sum(axis=1, keepdims=True)
        + len(relative) * lowest**2
        + scale**2 * (power**2).sum(axis=1)
        - 2 * lowest * losses.sum(axis=1, keepdims=True)
        - 2 * scale * (losses @ power.T)
        + 2 * lowest * scale * power.sum(axis=1)
    )
    best = squares.argmin(axis=1)
    rows = np.arange(len(losses))
    exponents = np.where(scale[rows, best] > 0, _GRID[best], 0.0)
    return exponents, lowest[rows, best], scale[rows, best]


def _interval(values: Draws) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
