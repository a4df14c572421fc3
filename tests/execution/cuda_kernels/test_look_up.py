"""The kernel looks up the rows of a table; its gradient is their sum by row, always in the same order."""

from __future__ import annotations

import pytest
import torch
from tests.execution.cuda_kernels.device import DEVICE
from tests.execution.cuda_kernels.on_other_gpus import require_compiled
from torch import Tensor

from rankelastor.execution.cuda_kernels.look_up import look_up, sum_by_row


def drawn_rows(count: int, num_rows: int, *, seed: int = 0) -> Tensor:
    return torch.randint(num_rows, (count,), generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)


def by_pytorch(rows: Tensor, values: Tensor, num_rows: int) -> Tensor:
    sums = torch.zeros(num_rows, values.shape[1], dtype=torch.float64, device=DEVICE)
    sums.index_add_(0, rows, values.double())
    sums[0] = 0
    return sums


def test_rows_keep_their_places() -> None:
    table, rows = drawn(7, 5), drawn_rows(3 * 4, 7).view(3, 4)
    assert torch.equal(look_up(table, rows), table[rows])
    assert torch.equal(look_up(table, rows.T), table[rows.T])


def test_by_hand() -> None:
    """Row 1 was looked up twice, row 3 once, row 2 never, and row 0 is padding."""
    table = torch.zeros(4, 1, device=DEVICE, requires_grad=True)
    found = look_up(table, torch.tensor([[1, 0], [3, 1]], device=DEVICE))
    found.backward(torch.tensor([[[1.0], [5.0]], [[7.0], [2.0]]], device=DEVICE))
    assert table.grad is not None
    assert table.grad.flatten().tolist() == [0.0, 3.0, 0.0, 7.0]


@pytest.mark.parametrize(
    ("count", "num_rows", "dim"),
    [
        pytest.param(1, 3, 1, id="one look-up"),
        pytest.param(64, 5, 4, id="one chunk"),
        pytest.param(65, 2, 10, id="a chunk and one more"),
        pytest.param(64 * 4, 2, 3, id="a row that fills chunks"),
        pytest.param(64 * 33 + 1, 3, 2, id="parts in more than one chunk"),
        pytest.param(700, 400, 5, id="few look-ups a row"),
        pytest.param(200, 9, 100, id="more columns than a block"),
    ],
)
def test_the_gradient_is_the_sum_by_row(count: int, num_rows: int, dim: int) -> None:
    rows, values = drawn_rows(count, num_rows), drawn(count, dim)
    sums, exact = sum_by_row(rows, values, num_rows=num_rows), by_pytorch(rows, values, num_rows)
    assert float((sums.double() - exact).abs().max()) <= 1e-6 * max(1.0, float(exact.abs().max()))


def test_rows_of_which_some_fill_chunks_and_others_do_not() -> None:
    """Every way that a row can lie on the borders of chunks: before, behind, both, and more than one whole chunk."""
    lengths = [1, 62, 1, 1, 64, 63, 129, 3, 60, 2, 128, 64, 200, 1]
    rows = torch.repeat_interleave(torch.arange(1, len(lengths) + 1), torch.tensor(lengths)).to(DEVICE)
    values = torch.ones(len(rows), 2, device=DEVICE)
    sums = sum_by_row(rows[torch.randperm(len(rows))], values, num_rows=len(lengths) + 1)
    assert sums[1:].tolist() == [[float(length)] * 2 for length in lengths]


def test_the_gradient_has_the_same_bits_each_time() -> None:
    rows, values = drawn_rows(1000, 4), drawn(1000, 3)
    first, second = (sum_by_row(rows, values, num_rows=4) for _ in range(2))
    assert torch.equal(first, second)


def test_a_gradient_that_is_not_contiguous_is_summed_alike() -> None:
    rows, values = drawn_rows(40, 6), drawn(3, 40).T
    assert torch.equal(sum_by_row(rows, values, num_rows=6), sum_by_row(rows, values.contiguous(), num_rows=6))


def test_a_row_that_is_not_in_the_table_gives_nan_and_changes_no_row() -> None:
    table = drawn(3, 2).requires_grad_()
    found = look_up(table, torch.tensor([1, 3, -1], device=DEVICE))
    assert found.isfinite().all(dim=1).tolist() == [True, False, False]
    (gradient,) = torch.autograd.grad(found, [table], torch.ones_like(found))
    assert gradient.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def test_the_kernels_compile_for_gpus_that_are_not_here() -> None:
    numbers = dict.fromkeys(["num_look_ups", "num_values", "num_rows"], "i32")
    sizes = {"dim": 10, "chunk": 64, "block_columns": 16}
    require_compiled("look_up", "_look_up", kinds={"rows": "*i64", **numbers}, others="*fp32", constants=sizes)
    kinds = {"rows": "*i32", "rows_of_parts": "*i32", "order": "*i64", **numbers}
    for has_order in (True, False):
        constants = {**sizes, "has_order": has_order}
        require_compiled("look_up", "_sum_by_row", kinds=kinds, others="*fp32", constants=constants)
