"""Which steps are sampled: every n-th, or at gaps that grow with the number of steps."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rankelastor.spectrum.runs.sampled_steps import is_sampled, next_sample


def sampled(num_steps: int) -> list[int]:
    return [step for step in range(1, num_steps + 1) if is_sampled(step, every_steps="auto")]


@pytest.mark.parametrize(("num_steps", "num_samples"), [(1, 1), (5, 5), (20, 20), (100, 61), (1000, 110)])
def test_short_trainings_have_enough_samples_and_longer_ones_not_too_many(num_steps: int, num_samples: int) -> None:
    assert len(sampled(num_steps)) == num_samples


def test_the_steps_follow_one_another_and_no_gap_is_longer_than_200() -> None:
    steps = sampled(9000)
    assert [next_sample(step) for step in steps[:-1]] == steps[1:]
    assert max(later - earlier for earlier, later in pairwise(steps)) == 200


def test_null_samples_nothing_and_a_number_the_first_and_every_nth() -> None:
    assert not any(is_sampled(step, every_steps=None) for step in range(1, 10))
    assert [step for step in range(1, 10) if is_sampled(step, every_steps=4)] == [1, 4, 8]
