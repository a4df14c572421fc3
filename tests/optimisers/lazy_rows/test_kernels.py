"""Tests of the kernels of rows against the same arithmetic in PyTorch's operations."""

import pytest
import torch

from rankelastor.native.calling import kernels_take
from rankelastor.native.library import kernels
from rankelastor.optimisers.lazy_rows.kernels import RowKernels
from rankelastor.optimisers.lazy_rows.lazy import LazyRows
from rankelastor.optimisers.lazy_rows.operations import RowArithmetic, RowOperations, RowState


@pytest.fixture(autouse=True)
def _needs_kernels() -> None:
    if kernels() is None:
        pytest.skip("needs a C compiler")


@pytest.mark.parametrize("l2", [0.0, 1e-3])
def test_kernels_compute_what_the_operations_do(l2: float) -> None:
    torch.manual_seed(0)
    start = 0.05 * torch.randn(30, 5)
    start[0] = 0
    tables = [start.clone(), start.clone()]
    states = [RowState(table, betas=(0.9, 0.999), epsilon=1e-8, l2=l2) for table in tables]
    assert kernels_take(start)
    arithmetics: list[RowArithmetic] = [RowOperations(states[0]), RowKernels(states[1])]
    for step in range(400):
        rows = torch.arange(30) if step in {0, 40, 399} else torch.randint(0, 4, (10,))
        lookup_gradients = 1e-3 * torch.randn(len(rows), 5)
        found = []
        for state, arithmetic in zip(states, arithmetics, strict=True):
            touched, position = arithmetic.find(rows)
            assert torch.equal(touched[position], rows)
            caught_up = arithmetic.catch_up(touched, 1e-2)
            gradient, *squares = arithmetic.gradient(touched, position, lookup_gradients)
            state.begin_step(0.5)
            change = arithmetic.step(touched, gradient, 1e-2)
            found.append(torch.stack([caught_up, *squares, change]))
        torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-6)
    assert torch.equal(states[0].complete, states[1].complete)
    torch.testing.assert_close(tables[0], tables[1], rtol=1e-3, atol=1e-5)
    assert (tables[0] - start).abs().max() > 0.1


@pytest.mark.parametrize("threads", [1, 2])
def test_cores_share_the_rows_and_give_what_one_gives(threads: int) -> None:
    torch.manual_seed(0)
    before = torch.get_num_threads()
    table = torch.randn(500, 7)
    table[0] = 0
    start = table.clone()
    lazy = LazyRows(table, betas=(0.9, 0.999), l2=1e-3)
    assert isinstance(lazy._arithmetic, RowKernels)
    adam_table = start.double().requires_grad_()
    adam = torch.optim.Adam([adam_table], lr=0.01)
    try:
        torch.set_num_threads(threads)
        for seed in range(3):
            torch.manual_seed(seed)
            rows, gradients = torch.randint(0, 500, (900,)), torch.randn(900, 7)
            touched = lazy.touch(rows, learning_rate=0.01)
            gradient, _ = lazy.gradient(touched, gradients)
            lazy.step(touched, gradient, learning_rate=0.01)
            dense = torch.zeros(500, 7, dtype=torch.float64).index_add_(0, rows, gradients.double())
            dense[0] = 0
            adam_table.grad = dense + 1e-3 * adam_table.detach()
            adam.step()
        lazy.complete(learning_rate=0.01)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(table.double(), adam_table.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("row", [-1, 4, 2**40])
def test_rows_outside_the_table_are_named_with_its_size(row: int) -> None:
    state = RowState(torch.zeros(4, 2), betas=(0.9, 0.999), epsilon=1e-8, l2=0.0)
    with pytest.raises(IndexError, match="must be below 4"):
        RowKernels(state).find(torch.tensor([1, row]))


def test_rows_are_found_once_in_order_of_first_or_of_number() -> None:
    state = RowState(torch.zeros(9, 2), betas=(0.9, 0.999), epsilon=1e-8, l2=0.0)
    rows = torch.tensor([7, 2, 7, 0, 2, 8])
    for arithmetic in (RowKernels(state), RowOperations(state)):
        for _ in range(2):  # the second time nothing is left of the first
            touched, position = arithmetic.find(rows)
            assert sorted(touched.tolist()) == [0, 2, 7, 8]
            assert torch.equal(touched[position], rows)
