"""Averages of weights against averages over whole tables after each step, written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rankelastor.optimisers.averaged_weights import AveragedWeights, decay_of
from rankelastor.optimisers.lazy_rows.lazy import LazyRows
from rankelastor.optimisers.rowwise_adagrad import RowwiseAdagrad

NUM_ROWS, DIM, RATE, DECAY = 40, 3, 1e-2, 0.98


def a_table() -> nn.Parameter:
    torch.manual_seed(0)
    start = 0.05 * torch.randn(NUM_ROWS, DIM, dtype=torch.float64)
    start[0] = 0
    return nn.Parameter(start)


def lookups(step: int, gap: int) -> Tensor:
    """Look most rows up every ``gap`` steps, and a few of them, some twice, at every step."""
    draws = torch.Generator().manual_seed(step)
    return torch.arange(NUM_ROWS) if step % gap == 0 else torch.randint(0, 5, (8,), generator=draws)


def gradients(rows: Tensor, step: int) -> Tensor:
    return torch.randn(len(rows), DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1000 + step))


def averaged(average: AveragedWeights, table: nn.Parameter) -> Tensor:
    with average.in_place():
        return table.detach().clone()


def train_by_row(
    table: nn.Parameter,
    rule: LazyRows | RowwiseAdagrad,
    *,
    num_steps: int,
    gap: int,
    watch: Callable[[], None] = lambda: None,
) -> AveragedWeights:
    """Train and average the rows that are looked up alone; ``watch`` is called after each step."""
    average = AveragedWeights([], table, decay=DECAY)
    for step in range(num_steps):
        rows = lookups(step, gap)
        touched = rule.touch(rows, learning_rate=RATE)
        average.catch_up(touched.rows)
        gradient, _ = rule.gradient(touched, gradients(rows, step))
        rule.step(touched, gradient, learning_rate=RATE)
        average.step(touched.rows)
        watch()
    rule.complete(learning_rate=RATE)
    average.complete()
    return average


@pytest.mark.parametrize("gap", [1, 7, 100])
def test_rows_that_wait_have_the_average_over_the_whole_table(gap: int) -> None:
    table = a_table()
    naive, num_done = table.detach().clone(), 0

    def watch() -> None:
        nonlocal num_done
        num_done += 1
        naive.lerp_(table.detach(), 1 - decay_of(num_done, DECAY))

    rule = RowwiseAdagrad(table, l2=1e-3)
    average = train_by_row(table, rule, num_steps=250, gap=gap, watch=watch)
    assert torch.allclose(averaged(average, table), naive, rtol=0, atol=1e-14)


def test_the_closed_form_of_a_row_that_waits() -> None:
    table = nn.Parameter(torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64))
    average = AveragedWeights([], table, decay=DECAY)
    with torch.no_grad():
        table[1] = 2.0
    for _ in range(4):
        average.step(torch.tensor([2]))
    average.complete()
    kept = (2 / 11) * (3 / 12) * (4 / 13) * (5 / 14)
    assert averaged(average, table).flatten().tolist() == pytest.approx([0.0, 2 - kept, 5.0], abs=1e-15)


@pytest.mark.parametrize("l2", [0.0, 1e-3])
@pytest.mark.parametrize("gap", [1, 20, 200])
def test_lazy_adam_has_the_average_of_dense_adam_within_a_few_percent_of_its_change(gap: int, l2: float) -> None:
    table = a_table()
    start, dense = table.detach().clone(), table.detach().clone().requires_grad_()
    adam, naive, num_steps = torch.optim.Adam([dense], lr=RATE), table.detach().clone(), 401
    for step in range(num_steps):
        rows = lookups(step, gap)
        dense.grad = torch.zeros_like(start).index_add_(0, rows, gradients(rows, step)) + l2 * dense.detach()
        dense.grad[0] = 0
        adam.step()
        naive.lerp_(dense.detach(), 1 - decay_of(step + 1, DECAY))
    average = train_by_row(table, LazyRows(table, betas=(0.9, 0.999), l2=l2), num_steps=num_steps, gap=gap)
    error = (averaged(average, table) - naive).abs().max()
    assert error < (1e-12 if gap == 1 else 0.05) * (naive - start).abs().max()


def test_other_weights_are_averaged_at_every_step_and_given_back() -> None:
    weight = nn.Parameter(torch.zeros(2))
    average = AveragedWeights([weight], decay=0.5)
    for value in (11.0, 12.0):
        with torch.no_grad():
            weight.fill_(value)
        average.step()
    with average.in_place():
        assert weight.tolist() == pytest.approx([11.25, 11.25])  # 3 / 12 of 9, the rest of 12
    assert weight.tolist() == [12.0, 12.0]


def test_weights_are_given_back_after_an_error() -> None:
    weight = nn.Parameter(torch.zeros(2))
    average = AveragedWeights([weight], decay=0.5)
    with torch.no_grad():
        weight.fill_(1.0)
    with pytest.raises(KeyboardInterrupt), average.in_place():
        raise KeyboardInterrupt
    assert weight.tolist() == [1.0, 1.0]


def test_a_restored_average_goes_on() -> None:
    table = a_table()
    rule = RowwiseAdagrad(table)
    first = train_by_row(table, rule, num_steps=3, gap=7)
    first.step(torch.tensor([2]))  # others wait
    second = AveragedWeights([], table, decay=DECAY)
    second.restore(first.state())
    for average in (first, second):
        average.complete()
    assert torch.equal(averaged(first, table), averaged(second, table))


def test_an_average_of_other_weights_is_refused() -> None:
    state = AveragedWeights([nn.Parameter(torch.zeros(3))], decay=DECAY).state()
    with pytest.raises(ValueError, match=r"averages 0 must be torch.float32 \(2,\)"):
        AveragedWeights([nn.Parameter(torch.zeros(2))], decay=DECAY).restore(state)
