"""Tests of the sums of look-up gradients by row."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.native import library
from rankelastor.optimisers.lazy_rows.sums import sum_by_row


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 5))
def test_each_row_gets_the_sum_of_its_lookups_and_padding_gets_nothing(rows: list[int], dim: int) -> None:
    lookup_gradients = torch.randn(len(rows), dim)
    wanted = torch.zeros(7, dim)
    for row, gradient in zip(rows, lookup_gradients, strict=True):
        wanted[row] += gradient if row else 0
    assert torch.equal(sum_by_row(torch.tensor(rows, dtype=torch.int64), lookup_gradients, 7), wanted)


@pytest.mark.parametrize("num_lookups", [1000, 1001, 3000])
@pytest.mark.parametrize("with_kernels", [True, False])
def test_the_sums_are_bit_for_bit_those_of_pytorch(
    num_lookups: int, with_kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_kernels:
        monkeypatch.setattr(library, "_loaded", lambda: None)
    rows, lookup_gradients = torch.randint(50, (num_lookups,)), torch.randn(num_lookups, 10)
    wanted = torch.ops.aten.embedding_dense_backward(lookup_gradients, rows, 50, 0, False)
    assert torch.equal(sum_by_row(rows, lookup_gradients, 50), wanted)


@pytest.mark.parametrize("copies", [1, 1000])
def test_a_gradient_that_is_not_finite_stays_so(copies: int) -> None:
    rows, gradients = torch.tensor([1, 2, 1]), torch.tensor([[1.0], [float("inf")], [float("nan")]])
    sums = sum_by_row(rows.repeat(copies), gradients.repeat(copies, 1), 3)
    assert sums[1].isnan()
    assert sums[2].isinf()


@pytest.mark.skipif(library.kernels() is None, reason="needs a C compiler")
@pytest.mark.parametrize("outside", [-1, 50])
def test_the_kernel_writes_to_no_row_that_the_table_does_not_have(outside: int) -> None:
    rows = torch.randint(50, (1001,))
    rows[7] = outside
    with pytest.raises(IndexError, match="rows must be below 50"):
        sum_by_row(rows, torch.ones(1001, 3), 50)
