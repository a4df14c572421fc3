"""Intervals over seeds, held against scipy's t distribution, and what is said of two models with and without seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats
from tests.spectrum.test_trajectory import path_through

from rankelastor.spectrum.comparison import compare
from rankelastor.spectrum.recording.statistics import Histogram, MeasureStatistics
from rankelastor.spectrum.seeds import difference_interval, mean_interval, next_seed_interval, standard_error
from rankelastor.spectrum.stages import TrajectoryStage, stage_points
from rankelastor.spectrum.trajectory import Trajectory

WIDE, NARROW = (5.0, 5.5, 6.1, 5.2), (2.0, 3.5, 2.4)


def with_seeds(path: Trajectory, *values: float) -> Trajectory:
    """Make the last stage that of several seeds."""
    last = replace(path.stages[-1], seeds=values, mean=sum(values) / len(values))
    return replace(path, stages=(*path.stages[:-1], last))


def test_the_interval_of_a_mean_is_that_of_students_t() -> None:
    expected = stats.t.interval(0.95, len(WIDE) - 1, loc=stats.tmean(WIDE), scale=stats.sem(WIDE))
    assert mean_interval(WIDE) == pytest.approx(expected)
    assert standard_error(WIDE) == pytest.approx(stats.sem(WIDE))


def test_the_interval_of_a_difference_is_that_of_welch() -> None:
    one, other = stats.sem(WIDE) ** 2, stats.sem(NARROW) ** 2
    degrees = (one + other) ** 2 / (one**2 / 3 + other**2 / 2)
    middle = stats.tmean(WIDE) - stats.tmean(NARROW)
    expected = stats.t.interval(0.95, degrees, loc=middle, scale=(one + other) ** 0.5)
    assert difference_interval(WIDE, NARROW) == pytest.approx(expected)
    assert difference_interval((2.0, 2.0), (1.0, 1.0)) == (1.0, 1.0)


def test_one_seed_has_no_interval() -> None:
    assert mean_interval([3.0]) is None
    assert next_seed_interval([3.0]) is None
    assert standard_error([]) is None
    assert difference_interval([3.0], WIDE) is None


def test_the_standard_error_of_several_seeds_is_over_seeds_and_not_over_examples() -> None:
    one = MeasureStatistics("stable_rank", 100, 2.0, 1.0, (1.8, 2.2), 1.0, 3.0, Histogram(1, 3, (100,)))
    assert one.standard_error == pytest.approx(0.1)
    assert replace(one, seeds=(1.0, 3.0)).standard_error == pytest.approx(1.0)  # sqrt 2 / sqrt 2


def test_two_models_of_one_seed_each_are_never_called_clearly_different() -> None:
    said = compare(path_through(2, 6, 5, name="a"), path_through(2, 4, 2, name="b"))[0]
    assert "different for these two models" in said
    assert "Each is one trained model of one seed" in said
    assert "clearly" not in said


def test_two_groups_are_judged_over_their_seeds() -> None:
    one = with_seeds(path_through(2, 6, 5, name="a"), *WIDE)
    other = with_seeds(path_through(2, 4, 2, name="b"), *NARROW)
    said = compare(one, other)[0]
    low, high = difference_interval(WIDE, NARROW) or (0, 0)
    assert f": clearly different over seeds; the difference is +2.82, 95 % interval {low:+.2f} to {high:+.2f}" in said
    assert "(Welch's t, 4 and 3 seeds)" in said
    close = with_seeds(path_through(2, 4, 2, name="b"), 4.9, 5.8)
    assert ": not clearly different over seeds" in compare(one, close)[0]


@pytest.mark.parametrize(("end", "place"), [(5.4, "inside"), (9.0, "outside")])
def test_one_model_beside_a_group_is_judged_by_where_one_more_seed_would_be(end: float, place: str) -> None:
    group = with_seeds(path_through(2, 6, 5, name="group"), *WIDE)
    single = path_through(2, 6, end, name="single")
    for said in (compare(single, group)[0], compare(group, single)[0]):
        assert f"single is one model of one seed, {place} the 95 % interval for one more seed of group" in said


def test_the_points_of_stages_are_found_again() -> None:
    path = path_through(1, 2, 3, 4, 5)
    points = stage_points(path.stages)
    assert points == stage_points(path.stages)
    plain = TrajectoryStage("a", "point", 0, 1, 1.0, None, None, 2, 2)
    assert stage_points([plain]) == ("a",)
