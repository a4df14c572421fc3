"""Columns in another order, and gradients that find their way back."""

from __future__ import annotations

import pytest
import torch

from rankelastor.nn.embedding.reordered import reordered

ORDER = torch.tensor([2, 0, 3, 1])


@pytest.mark.parametrize("widths", [[4], [3, 1], [1, 1, 2]])
def test_columns_and_gradients_are_those_of_an_index(widths: list[int]) -> None:
    parts = [torch.randn(5, width, 3, dtype=torch.float64, requires_grad=True) for width in widths]
    upstream = torch.randn(5, 4, 3, dtype=torch.float64)
    ours, theirs = reordered(parts, ORDER, ORDER.argsort()), torch.cat(parts, dim=1)[:, ORDER]
    assert torch.equal(ours, theirs)
    for own, other in zip(*(torch.autograd.grad(each, parts, upstream) for each in (ours, theirs)), strict=True):
        assert torch.equal(own, other)
        assert own.is_contiguous()


def test_gradients_of_gradients_are_exact() -> None:
    parts = [torch.randn(2, width, 2, dtype=torch.float64, requires_grad=True) for width in (1, 3)]
    assert torch.autograd.gradgradcheck(lambda *each: reordered(each, ORDER, ORDER.argsort()).square(), parts)
