"""Fit L(N) = L_inf + a N^-b to losses by size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.optimize import minimize_scalar

from rankelastor.errors import SettingsError

FEWEST_SIZES = 3
_GRID = 60
_SPREAD = (1e-4, 8.0)
"""Ends of the grid over exponents."""
_FLAT = 1.5e-4
"""A smaller exponent lies at the lower end of the grid: a loss that is level or rises."""

Sizes = Float64[ndarray, " point"]


@dataclass(frozen=True)
class PowerLaw:
    """L(N) = floor + scale (N / unit)^-exponent.

    Attributes:
        floor: L_inf.
        scale: the loss above the floor at N = unit.
        exponent: b; 0 where the loss does not fall.
        unit: the geometric mean of the sizes.
        smallest: the smallest size of the fit.
        largest: the largest size of the fit.
        explained: share of the variance of the mean losses that the fit explains.
        error: root mean square of the residuals.
    """

    floor: float
    scale: float
    exponent: float
    unit: float
    smallest: float
    largest: float
    explained: float
    error: float

    def __call__(self, size: float, *, reach: float = 3.0) -> float:
        """Compute the loss at a size.

        Args:
            size: N.
            reach: how many times beyond the largest and below the smallest size of the fit it may lie.

        Raises:
            SettingsError: the size lies further outside of the sizes of the fit.
        """
        low, high = self.smallest / reach, self.largest * reach
        if not low <= size <= high:
            raise SettingsError(
                f"a curve must be read between {low:,.0f} and {high:,.0f}, {reach:g} times beyond its sizes "
                f"{self.smallest:,.0f} to {self.largest:,.0f}, but {size:,.0f} was given; run a size that lies nearer"
            )
        return self.at(size)

    def at(self, size: float) -> float:
        """Compute the loss at a size, wherever it lies."""
        return float(self.floor + self.scale * (size / self.unit) ** -self.exponent)


def fit_power_law(sizes: Sequence[float], losses: Sequence[float], *, floor: float | None = None) -> PowerLaw:
    """Fit a power law by least squares of the losses; each exponent gives its floor and scale by linear regression.

    Args:
        sizes: N of each loss, of at least three different ones.
        losses: the losses, one for each size or several.
        floor: L_inf, where it is known; None fits it, at 0 or above and below the smallest loss.

    Example:
        >>> sizes = [1.0, 2.0, 4.0, 8.0]
        >>> found = fit_power_law(sizes, [0.4 + 0.1 * size**-0.5 for size in sizes])
        >>> round(found.floor, 3), round(found.exponent, 3)
        (0.4, 0.5)

    Raises:
        SettingsError: there are fewer than three sizes.
    """
    number, loss = np.asarray(sizes, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if len(set(number.tolist())) < FEWEST_SIZES:
        raise SettingsError(
            f"a fit of the loss by size must have {FEWEST_SIZES} sizes or more, but {len(set(number.tolist()))} were "
            "given; add points to the axis"
        )
    unit = float(np.exp(np.log(number).mean()))
    relative = np.log(number / unit)

    def error(log_exponent: float) -> float:
        return _at_exponent(relative, loss, math.exp(log_exponent), floor)[2]

    grid = np.linspace(math.log(_SPREAD[0]), math.log(_SPREAD[1]), _GRID)
    best = int(np.argmin([error(each) for each in grid]))
    bounds = (grid[max(0, best - 1)], grid[min(_GRID - 1, best + 1)])
    exponent = math.exp(float(minimize_scalar(error, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))
    lowest, scale, squares = _at_exponent(relative, loss, exponent, floor)
    total = float(((loss - loss.mean()) ** 2).sum())
    return PowerLaw(
        floor=lowest,
        scale=scale,
        exponent=exponent if scale > 0 and exponent > _FLAT else 0.0,
        unit=unit,
        smallest=float(number.min()),
        largest=float(number.max()),
        explained=1 - squares / total if total else 0.0,
        error=math.sqrt(squares / len(loss)),
    )


def _at_exponent(relative: Sizes, loss: Sizes, exponent: float, floor: float | None) -> tuple[float, float, float]:
    """Fit floor and scale for an exponent, and return them with the sum of squares."""
    power = np.exp(-exponent * relative)
    if floor is None:
        centred = power - power.mean()
        variance = float((centred**2).sum())
        scale = max(0.0, float((centred * loss).sum()) / variance) if variance else 0.0
        lowest = float(loss.mean() - scale * power.mean())
        if lowest < 0:
            lowest, scale = 0.0, max(0.0, float((power * loss).sum() / (power**2).sum()))
    else:
        lowest, scale = floor, max(0.0, float((power * (loss - floor)).sum() / (power**2).sum()))
    return lowest, scale, float(((lowest + scale * power - loss) ** 2).sum())
