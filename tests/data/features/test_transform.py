import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.features.transform import NumberStatistics, NumericTransform, StatisticsFit, transform_numbers


def fit(*pieces: list[float]) -> NumberStatistics:
    statistics = StatisticsFit()
    for piece in pieces:
        statistics.add(np.array(piece))
    statistics.end_first_pass()
    for piece in pieces:
        statistics.add_deviations(np.array(piece))
    return statistics.statistics


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("as_is", [-2.0, 0.0, 4.0]),
        ("log", [-np.log(3), 0.0, np.log(5)]),
        ("standardise", [-8 / 56**0.5, -2 / 56**0.5, 10 / 56**0.5]),
        ("min_max", [0.0, 1 / 3, 1.0]),
    ],
)
def test_each_transform_on_numbers_computed_by_hand(transform: NumericTransform, expected: list[float]) -> None:
    numbers = np.array([-2.0, 0.0, 4.0])  # mean 2/3, variance 56/9
    result = transform_numbers(numbers, transform, fit([-2.0, 0.0, 4.0]))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize("transform", ["standardise", "min_max"])
def test_a_constant_column_becomes_zero(transform: NumericTransform) -> None:
    statistics = fit([0.1] * 7)
    assert statistics.standard_deviation == 0
    assert transform_numbers(np.array([0.1, 1.1]), transform, statistics).tolist() == [0.0, 1.0]


def test_numbers_outside_the_train_range_lie_outside_0_and_1() -> None:
    assert transform_numbers(np.array([-1.0, 3.0]), "min_max", fit([0.0, 2.0])).tolist() == [-0.5, 1.5]


@given(st.lists(st.floats(-1e30, 1e30), min_size=1), st.integers(0, 5))
def test_statistics_do_not_depend_on_pieces_or_order(numbers: list[float], cut: int) -> None:
    assert fit(numbers[::-1][:cut], numbers[::-1][cut:]) == fit(numbers)
