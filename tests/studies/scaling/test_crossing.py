"""Where two curves cross, and that it is said if this cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from rankelastor.studies.scaling.crossing import crossing_of
from rankelastor.studies.scaling.resampling import FittedCurve, fit_curve

SIZES = np.repeat([1e4, 2.5e4, 5e4, 9e4], 3)


def curve(exponent: float, scale: float, noise: float, seed: int) -> FittedCurve:
    draws = np.random.default_rng(seed)
    losses = 0.4 + scale * (SIZES / 3e4) ** -exponent + noise * draws.normal(size=len(SIZES))
    return fit_curve(SIZES.tolist(), losses.tolist(), floor=0.4)


def test_curves_that_cross_have_a_crossing_with_its_interval() -> None:
    found = crossing_of(curve(0.8, 0.05, 1e-3, 1), curve(0.3, 0.05, 1e-3, 2))
    assert found is not None
    assert found.size == pytest.approx(3e4, rel=0.15)
    assert found.interval is not None
    assert found.interval[0] < 3e4 < found.interval[1]
    assert "95 % interval" in found.words


def test_noise_hides_a_crossing() -> None:
    found = crossing_of(curve(0.5, 0.05, 0.01, 3), curve(0.45, 0.05, 0.01, 4))
    assert found is not None
    assert found.interval is None
    assert "of resampled fits have one" in found.words


def test_curves_apart_have_none() -> None:
    found = crossing_of(curve(0.5, 0.05, 1e-4, 5), curve(0.5, 0.08, 1e-4, 6))
    assert found is not None
    assert (found.size, found.share) == (None, 0.0)
