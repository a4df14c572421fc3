"""Tests of the sums of look-up gradients by row."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.optimisers.lazy_rows.sums import sum_by_row


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 5))
def test_each_row_gets_the_sum_of_its_lookups_and_padding_gets_nothing(rows: list[int], dim: int) -> None:
    lookup_gradients = torch.randn(len(rows), dim)
    wanted = torch.zeros(7, dim)
    for row, gradient in zip(rows, lookup_gradients, strict=True):
        wanted[row] += gradient if row else 0
    assert torch.equal(sum_by_row(torch.tensor(rows, dtype=torch.int64), lookup_gradients, 7), wanted)


@pytest.mark.parametrize("num_lookups", [1000, 1001, 3000])
def test_the_sums_are_bit_for_bit_those_of_pytorch(num_lookups: int) -> None:
    rows, lookup_gradients = torch.randint(50, (num_lookups,)), torch.randn(num_lookups, 10)
    wanted = torch.ops.aten.embedding_dense_backward(lookup_gradients, rows, 50, 0, False)
    assert torch.equal(sum_by_row(rows, lookup_gradients, 50), wanted)


@pytest.mark.parametrize("copies", [1, 1000])
def test_a_gradient_that_is_not_finite_stays_so(copies: int) -> None:
    rows, gradients = torch.tensor([1, 2, 1]), torch.tensor([[1.0], [float("inf")], [float("nan")]])
    sums = sum_by_row(rows.repeat(copies), gradients.repeat(copies, 1), 3)
    assert sums[1].isnan()
    assert sums[2].isinf()
