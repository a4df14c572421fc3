import math

import pytest

from rankelastor.config.schedule import CosineSchedule, PlateauSchedule
from rankelastor.training.learning_rate import CHANGES_PER_EPOCH, rate_factor


def naive(step: int, *, warmup: int, last: int, final_share: float) -> float:
    """The factor of each step without stretches."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / (last - warmup))
    return final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * done))


@pytest.mark.parametrize(("warmup_epochs", "final_share"), [(0.0, 0.0), (0.5, 0.1), (1.0, 0.01)])
def test_short_epochs_change_the_rate_at_each_step(warmup_epochs: float, final_share: float) -> None:
    schedule = CosineSchedule(kind="cosine", warmup_epochs=warmup_epochs, epochs=3, final_share=final_share)
    for step in range(40):
        expected = naive(step, warmup=round(10 * warmup_epochs), last=30, final_share=final_share)
        assert rate_factor(schedule, step, steps_per_epoch=10, num_epochs=99) == pytest.approx(expected)


def test_long_epochs_change_the_rate_fifty_times() -> None:
    schedule = CosineSchedule(kind="cosine")
    factors = {rate_factor(schedule, step, steps_per_epoch=1000, num_epochs=2) for step in range(1000)}
    assert len(factors) == CHANGES_PER_EPOCH


def test_a_plateau_only_warms_up() -> None:
    schedule = PlateauSchedule(warmup_epochs=0.5)
    factors = [rate_factor(schedule, step, steps_per_epoch=8, num_epochs=9) for step in range(7)]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
    assert rate_factor(PlateauSchedule(), 0, steps_per_epoch=8, num_epochs=9) == 1.0


def test_the_first_step_of_a_warm_up_has_a_rate() -> None:
    schedule = CosineSchedule(kind="cosine", warmup_epochs=2.0)
    assert rate_factor(schedule, 0, steps_per_epoch=5000, num_epochs=9) > 0
