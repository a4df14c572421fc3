"""Rows updated when touched, against dense Adam with the penalty in its gradient."""

import pytest
import torch
from torch import Tensor

from rankelastor.native.calling import kernels_fit
from rankelastor.optimisers.lazy_rows.kernels import RowKernels
from rankelastor.optimisers.lazy_rows.lazy import EXACT_STEPS, LazyRows
from rankelastor.optimisers.lazy_rows.operations import RowArithmetic, RowOperations, RowState

NUM_ROWS, DIM, RATE = 40, 3, 1e-3


def dense_and_lazy(
    gap: int, num_steps: int, l2: float, *, rate: float = RATE, clip_norm: float = 1e9
) -> tuple[Tensor, Tensor, Tensor]:
    """Start, dense and lazy tables in float64; most rows are touched once in ``gap`` steps, a few at every step."""
    torch.manual_seed(0)
    start = 0.05 * torch.randn(NUM_ROWS, DIM, dtype=torch.float64)
    start[0] = 0
    dense, table = start.clone().requires_grad_(), start.clone()
    adam = torch.optim.Adam([dense], lr=rate)
    lazy = LazyRows(table, betas=(0.9, 0.999), l2=l2)
    for step in range(num_steps):
        rows = torch.arange(NUM_ROWS) if step % gap == 0 else torch.randint(0, 4, (10,))
        of_lookups = 1e-4 * torch.randn(len(rows), DIM, dtype=torch.float64)
        of_rows = torch.zeros_like(start).index_add_(0, rows, of_lookups)
        of_rows[0] = 0
        dense.grad = of_rows + l2 * dense.detach()
        touched = lazy.touch(rows, learning_rate=rate)
        gradient, squared_norm = lazy.gradient(touched, of_lookups)
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


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_kernels_compute_what_the_operations_do(l2: float) -> None:
    torch.manual_seed(0)
    start = 0.05 * torch.randn(30, 5)
    start[0] = 0
    tables = [start.clone(), start.clone()]
    states = [RowState(table, betas=(0.9, 0.999), epsilon=1e-8, l2=l2) for table in tables]
    if not kernels_fit(start):
        pytest.skip("needs a C compiler")
    arithmetics: list[RowArithmetic] = [RowOperations(states[0]), RowKernels(states[1])]
    for step in range(400):
        rows = torch.arange(30) if step in {0, 40, 399} else torch.randint(0, 4, (10,))
        of_lookups = 1e-3 * torch.randn(len(rows), 5)
        found = []
        for state, arithmetic in zip(states, arithmetics, strict=True):
            touched, place = arithmetic.find(rows)
            assert torch.equal(touched[place], rows)
            caught_up = arithmetic.catch_up(touched, 1e-2)
            gradient, *squares = arithmetic.gradient(touched, place, of_lookups)
            state.begin_step(0.5)
            change = arithmetic.step(touched, gradient, 1e-2)
            found.append(torch.stack([caught_up, *squares, change]))
        torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-6)
    assert torch.equal(states[0].complete, states[1].complete)
    torch.testing.assert_close(tables[0], tables[1], rtol=1e-3, atol=1e-5)
    assert (tables[0] - start).abs().max() > 0.1
