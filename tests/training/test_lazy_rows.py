"""Rows updated when touched, against dense Adam with the penalty in its gradient."""

import pytest
import torch
from torch import Tensor

from rankelastor.training.lazy_rows import EXACT_STEPS, LazyRows

NUM_ROWS, DIM, RATE = 40, 3, 1e-3


def dense_and_lazy(gap: int, num_steps: int, l2: float) -> tuple[Tensor, Tensor, Tensor]:
    """Start, dense and lazy tables in float64; most rows are touched once in ``gap`` steps, a few at every step."""
    torch.manual_seed(0)
    start = 0.05 * torch.randn(NUM_ROWS, DIM, dtype=torch.float64)
    start[0] = 0
    dense, table = start.clone().requires_grad_(), start.clone()
    adam = torch.optim.Adam([dense], lr=RATE)
    lazy = LazyRows(table, betas=(0.9, 0.999), l2=l2)
    for step in range(num_steps):
        rows = torch.arange(NUM_ROWS) if step % gap == 0 else torch.randint(0, 4, (10,))
        of_lookups = 1e-4 * torch.randn(len(rows), DIM, dtype=torch.float64)
        of_rows = torch.zeros_like(start).index_add_(0, rows, of_lookups)
        of_rows[0] = 0
        dense.grad = of_rows + l2 * dense.detach()
        touched = lazy.touch(rows, learning_rate=RATE)
        gradient, squared_norm = lazy.gradient(touched, of_lookups)
        if gap == 1:
            assert squared_norm.sqrt().item() == pytest.approx(dense.grad.norm().item(), rel=1e-9)
        adam.step()
        lazy.step(touched, gradient, learning_rate=RATE)
    lazy.complete(learning_rate=RATE)
    return start, dense.detach(), table


@pytest.mark.parametrize("l2", [0.0, 1e-5, 1e-2])
@pytest.mark.parametrize("gap", [1, EXACT_STEPS])
def test_gaps_up_to_the_exact_steps_equal_dense_adam(gap: int, l2: float) -> None:
    _, dense, lazy = dense_and_lazy(gap, 150, l2)
    assert torch.allclose(lazy, dense, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("l2", "share"), [(0.0, 1e-4), (1e-5, 0.02), (1e-2, 0.25)])
def test_long_gaps_stay_close_to_dense_adam(l2: float, share: float) -> None:
    start, dense, lazy = dense_and_lazy(300, 601, l2)
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
