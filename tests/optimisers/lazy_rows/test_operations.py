"""Tests of Adam's arithmetic on rows, by hand and against PyTorch's optimiser."""

import pytest
import torch

from rankelastor.optimisers.lazy_rows.operations import EXACT_STEPS, RowOperations, RowState, _strides, sum_of_squares


def state_of(table: torch.Tensor, l2: float = 0.0) -> RowState:
    return RowState(table, betas=(0.9, 0.999), epsilon=1e-8, l2=l2)


def test_a_step_by_hand() -> None:
    table = torch.tensor([[0.0], [2.0], [5.0]], dtype=torch.float64)
    state = state_of(table)
    rows = RowOperations(state)
    state.begin_step(1.0)
    change = rows.step(torch.tensor([1]), torch.tensor([[3.0]], dtype=torch.float64), 0.5)
    # the first step of Adam moves by the learning rate, whatever the gradient: 2 -> 1.5
    assert table[1].item() == pytest.approx(1.5)
    assert change.item() == pytest.approx(1.5**2 - 2**2)
    assert state.first[1].item() == pytest.approx(0.3)
    assert state.second[1].item() == pytest.approx(0.009)
    assert state.complete.tolist() == [0, 1, 0]
    assert table[2].item() == 5.0


def test_the_gradient_of_rows_by_hand() -> None:
    table = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    rows = RowOperations(state_of(table, l2=0.5))
    touched, position = rows.find(torch.tensor([2, 0, 2]))
    assert touched.tolist() == [0, 2]
    assert position.tolist() == [1, 0, 1]
    gradient, norm, weights = rows.gradient(touched, position, torch.tensor([[1.0, 0.0], [9.0, 9.0], [2.0, 1.0]]))
    assert gradient.tolist() == [[0.0, 0.0], [4.5, 3.0]]  # 1 + 2 + 3 / 2 and 0 + 1 + 4 / 2; padding gets nothing
    assert norm.item() == pytest.approx(4.5**2 + 3**2)
    assert weights.item() == pytest.approx(25.0)


def test_what_is_noted_of_steps_grows_with_them() -> None:
    state = state_of(torch.zeros(2, 1))
    for _ in range(2000):
        state.begin_step(0.5)
    assert state.step == 2000
    assert state.scale_sum[2000].item() == 1000.0
    assert state.bias_correction1[2].item() == pytest.approx(1 - 0.9**2)
    assert state.bias_correction2[2000].item() == pytest.approx(1 - 0.999**2000)


@pytest.mark.parametrize("num_steps", [0, 1, EXACT_STEPS, EXACT_STEPS + 1, 100, 3000])
def test_strides_cover_the_steps_and_are_single_at_first(num_steps: int) -> None:
    strides = _strides(num_steps)
    covered = sum(strides)
    assert num_steps <= covered < num_steps + max(1, num_steps // 4)
    assert strides[:EXACT_STEPS] == [1] * min(num_steps, EXACT_STEPS)
    assert strides == sorted(strides)


def test_rows_that_missed_nothing_are_left_alone() -> None:
    table = torch.ones(3, 2)
    state = state_of(table, l2=1.0)
    assert RowOperations(state).catch_up(torch.tensor([1, 2]), 0.1).item() == 0
    assert (table == 1).all()


def test_the_sum_of_squares_is_given_in_double() -> None:
    assert sum_of_squares(torch.full((3,), 1e4)).item() == pytest.approx(3e8)
    assert sum_of_squares(torch.ones(2)).dtype == torch.float64
