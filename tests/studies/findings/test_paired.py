"""Paired differences are those of the textbook, and the smallest difference is the one that is told apart as often."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from rankelastor.studies.findings.paired import paired_difference, smallest_difference


def test_interval_and_p_are_those_of_the_paired_t_test() -> None:
    draws = np.random.default_rng(3)
    one, other = draws.normal(size=6), draws.normal(size=6)
    found = paired_difference(one.tolist(), other.tolist())
    expected = ttest_rel(one, other)
    assert found is not None
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_seeds_that_go_up_and_down_together_are_told_apart() -> None:
    luck = [0.0, 5.0, 9.0, 2.0, 7.0]
    found = paired_difference([each + 1 + place / 100 for place, each in enumerate(luck)], luck)
    assert found is not None
    assert found.p is not None
    assert found.p < 0.001


def test_one_seed_and_no_seed_tell_nothing() -> None:
    found = paired_difference([1.0], [0.5])
    assert found is not None
    assert (found.mean, found.interval, found.p) == (0.5, None, None)
    assert paired_difference([], []) is None
    assert smallest_difference([found]) is None


def test_the_smallest_difference_is_told_apart_in_four_of_five_studies() -> None:
    draws = np.random.default_rng(7)
    known = paired_difference([0.0, 2**0.5, -(2**0.5), 0.0, 0.0], [0.0] * 5)  # a deviation of 1
    assert known is not None
    told, smallest = 0, smallest_difference([known])
    assert smallest is not None
    for _ in range(400):
        found = paired_difference((draws.normal(size=5) + smallest).tolist(), [0.0] * 5)
        told += found is not None and found.p is not None and found.p < 0.05
    assert told / 400 == pytest.approx(0.8, abs=0.07)
