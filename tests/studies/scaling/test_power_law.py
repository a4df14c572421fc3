"""A power law is found again, and is not read far from its sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.errors import SettingsError
from rankelastor.studies.scaling.power_law import fit_power_law

SIZES = [1e4, 3e4, 5e4, 9e4]


@given(exponent=st.floats(0.1, 2.0), floor=st.floats(0.0, 0.6), scale=st.floats(0.01, 0.3))
def test_a_law_without_noise_is_found(exponent: float, floor: float, scale: float) -> None:
    losses = [floor + scale * (size / 3e4) ** -exponent for size in SIZES]
    free, known = fit_power_law(SIZES, losses), fit_power_law(SIZES, losses, floor=floor)
    assert known.exponent == pytest.approx(exponent, rel=1e-3)
    assert free.error == pytest.approx(0.0, abs=1e-5)
    assert free.explained == pytest.approx(1.0, abs=1e-4)
    for size, loss in zip(SIZES, losses, strict=True):
        assert free(size) == pytest.approx(loss, abs=1e-4)


def test_a_loss_that_does_not_fall_has_no_exponent() -> None:
    assert fit_power_law(SIZES, [0.5, 0.6, 0.7, 0.8]).exponent == 0.0


def test_a_curve_is_read_within_its_reach_alone() -> None:
    law = fit_power_law(SIZES, [0.5, 0.45, 0.43, 0.42])
    assert law(2.6e5) < law(9e4)
    with pytest.raises(SettingsError, match=r"between 3,333 and 270,000, 3 times beyond its sizes 10,000 to 90,000"):
        law(1e6)
    with pytest.raises(SettingsError, match="must have 3 sizes or more, but 2 were given"):
        fit_power_law([1.0, 1.0, 2.0], [0.5, 0.5, 0.4])


def test_a_loss_that_rises_has_the_exponent_zero() -> None:
    sizes = [100.0, 200.0, 400.0, 800.0]
    found = fit_power_law(sizes, [0.46, 0.462, 0.464, 0.47], floor=0.41)
    assert found.exponent == 0
    assert found.at(800.0) == pytest.approx(found.at(100.0))
