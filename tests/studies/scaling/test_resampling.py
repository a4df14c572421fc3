"""The intervals of a fit hold what they promise at the sizes and seeds of the studies: four sizes, three seeds."""

from __future__ import annotations

import numpy as np
import pytest

from rankelastor.errors import SettingsError
from rankelastor.studies.scaling.resampling import fit_curve

SIZES = np.repeat([1e4, 2.5e4, 5e4, 9e4], 3)
FLOOR, NOISE = 0.42, 0.0015


def share_covered(exponent: float, *, floor: float | None, repeats: int) -> float:
    draws = np.random.default_rng(0)
    covered = 0
    for _ in range(repeats):
        losses = FLOOR + 0.05 * (SIZES / 4e4) ** -exponent + NOISE * draws.normal(size=len(SIZES))
        low, high = fit_curve(SIZES.tolist(), losses.tolist(), floor=floor).exponent_interval
        covered += low <= exponent <= high
    return covered / repeats


def test_the_interval_covers_a_known_exponent() -> None:
    assert share_covered(0.5, floor=FLOOR, repeats=20) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("exponent", [0.3, 0.8])
@pytest.mark.parametrize("floor", [FLOOR, None])
def test_the_interval_covers_a_known_exponent_in_nine_of_ten_of_200_repeats(
    exponent: float, floor: float | None
) -> None:
    assert share_covered(exponent, floor=floor, repeats=200) >= 0.9


def test_the_interval_of_the_loss_is_not_read_far_away() -> None:
    losses = FLOOR + 0.05 * (SIZES / 4e4) ** -0.5 + NOISE * np.random.default_rng(1).normal(size=len(SIZES))
    curve = fit_curve(SIZES.tolist(), losses.tolist(), floor=FLOOR)
    low, high = curve.interval_at(2e5)
    assert low < FLOOR + 0.05 * 5**-0.5 < high
    with pytest.raises(SettingsError, match="3 times beyond its sizes"):
        curve.interval_at(1e6)
