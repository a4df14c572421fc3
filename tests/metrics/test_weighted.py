import math

import numpy as np
import pytest

from rankelastor.metrics.weighted import weighted_mean


def test_without_weights_it_is_the_plain_mean_in_the_precision_of_the_values() -> None:
    values = np.random.default_rng(0).random(1001).astype(np.float32)
    assert weighted_mean(values, None) == float(np.mean(values))


def test_a_weighted_mean_by_hand() -> None:
    assert weighted_mean(np.array([1.0, 4.0]), np.array([2.0, 1.0])) == pytest.approx(2.0)


def test_small_float32_weights_are_not_lost() -> None:
    weight = np.array([2.0**24] + [1.0] * 1000, dtype=np.float32)
    values = np.array([0.0] + [1.0] * 1000)
    assert weighted_mean(values, weight) == pytest.approx(1000 / (2.0**24 + 1000), rel=1e-12)


def test_weights_of_zero_leave_nothing_to_average() -> None:
    assert math.isnan(weighted_mean(np.array([1.0, 2.0]), np.zeros(2)))
