"""Tests of lazily updated rows against dense Adam with the penalty in its gradient."""

import pytest
import torch
from torch import Tensor

from rankelastor.optimisers.lazy_rows.lazy import EXACT_STEPS, LazyRows

NUM_ROWS, DIM, RATE = 40, 3, 1e-3


def dense_and_lazy(
    gap: int, num_steps: int, l2: float, *, rate: float = RATE, clip_norm: float = 1e9
) -> tuple[Tensor, Tensor, Tensor]:
    """Train a table densely and lazily in float64; most rows are looked up every ``gap`` steps, a few at every step."""
    torch.manual_seed(0)
    start = 0.05 * torch.randn(NUM_ROWS, DIM, dtype=torch.float64)
    start[0] = 0
    dense, table = start.clone().requires_grad_(), start.clone()
    adam = torch.optim.Adam([dense], lr=rate)
    lazy = LazyRows(table, betas=(0.9, 0.999), l2=l2)
    for step in range(num_steps):
        rows = torch.arange(NUM_ROWS) if step % gap == 0 else torch.randint(0, 4, (10,))
        lookup_gradients = 1e-4 * torch.randn(len(rows), DIM, dtype=torch.float64)
        row_gradients = torch.zeros_like(start).index_add_(0, rows, lookup_gradients)
        row_gradients[0] = 0
        dense.grad = row_gradients + l2 * dense.detach()
        touched = lazy.touch(rows, learning_rate=rate)
        gradient, squared_norm = lazy.gradient(touched, lookup_gradients)
        if gap == 1:
            assert squared_norm.sqrt().item() == pytest.approx(dense.grad.norm().item(), rel=1e-9)
        scale = clip_norm / max(clip_norm, dense.grad.norm().item())
        dense.grad *= scale
        adam.step()
        lazy.step(touched, gradient * scale, learning_rate=rate, scale=scale)
    lazy.complete(learning_rate=rate)
    return start, dense.detach(), table


@pytest.mark.parametrize("l2", [0.0, 1e-5, 1e-2])
@pytest.mark.parametrize("gap", [1, EXACT_STEPS])
def test_gaps_up_to_the_exact_steps_equal_dense_adam(gap: int, l2: float) -> None:
    _, dense, lazy = dense_and_lazy(gap, 150, l2)
    assert torch.allclose(lazy, dense, rtol=0, atol=1e-14)


def test_clipping_scales_the_penalty_of_rows_that_wait_too() -> None:
    _, dense, lazy = dense_and_lazy(EXACT_STEPS, 150, 1e-2, clip_norm=1e-4)
    assert torch.allclose(lazy, dense, rtol=0, atol=1e-14)
    _, unclipped, _ = dense_and_lazy(EXACT_STEPS, 150, 1e-2)
    assert not torch.allclose(dense, unclipped, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [1e-3, 1e-2])
@pytest.mark.parametrize(("l2", "share"), [(0.0, 1e-3), (1e-5, 0.03), (1e-3, 0.03), (1e-2, 0.04)])
@pytest.mark.parametrize("gap", [300, 1000])
def test_long_gaps_stay_close_to_dense_adam(gap: int, l2: float, share: float, rate: float) -> None:
    start, dense, lazy = dense_and_lazy(gap, gap + 1, l2, rate=rate)
    assert (lazy - dense).abs().max() < share * (dense - start).abs().max()


def test_the_padding_row_stays_zero_and_untouched_rows_wait() -> None:
    table = torch.ones(5, 2)
    table[0] = 0
    lazy = LazyRows(table, betas=(0.9, 0.999), l2=0.1)
    for _ in range(3):
        touched = lazy.touch(torch.tensor([0, 2]), learning_rate=0.1)
        gradient, _ = lazy.gradient(touched, torch.ones(2, 2))
        lazy.step(touched, gradient, learning_rate=0.1)
    assert table[0].tolist() == [0, 0]
    assert table[4].tolist() == [1, 1]
    lazy.complete(learning_rate=0.1)
    assert (table[4] < 1).all()


@pytest.mark.parametrize("row", [-12, 11, 10**9])
def test_rows_outside_the_table_are_refused_before_anything_is_written(row: int) -> None:
    table = torch.zeros(11, 4)
    with pytest.raises(IndexError):
        LazyRows(table, betas=(0.9, 0.999)).touch(torch.tensor([3, row]), learning_rate=0.01)


def test_rows_of_a_frozen_step_count_their_gap_from_the_last_touch() -> None:
    table = torch.ones(4, 2)
    table[0] = 0
    lazy = LazyRows(table, betas=(0.9, 0.999))
    for row in (1, 2, 1):
        touched = lazy.touch(torch.tensor([row]), learning_rate=0.1)
        assert touched.rows.tolist() == [row]
        gradient, _ = lazy.gradient(touched, torch.ones(1, 2))
        lazy.step(touched, gradient, learning_rate=0.1)
    assert lazy._state.complete.tolist() == [0, 3, 2, 0]
    lazy.complete(learning_rate=0.1)
    assert lazy._state.complete.tolist()[1:] == [3, 3, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_table_is_changed_in_place(dtype: torch.dtype) -> None:
    table = torch.nn.Parameter(torch.ones(4, 2, dtype=dtype))
    lazy = LazyRows(table, betas=(0.9, 0.999))
    touched = lazy.touch(torch.tensor([3, 3]), learning_rate=0.1)
    gradient, norm = lazy.gradient(touched, torch.ones(2, 2, dtype=dtype))
    assert gradient.tolist() == [[2.0, 2.0]]
    assert norm.item() == pytest.approx(8.0)
    lazy.step(touched, gradient, learning_rate=0.1)
    assert table[3].tolist() == pytest.approx([0.9, 0.9])  # Adam's first step is the learning rate
    assert (table[1] == 1).all()
