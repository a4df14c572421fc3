"""Columns in another order, and gradients that find their way back."""

from __future__ import annotations

import torch

from rankelastor.nn.embedding.reordered import reordered

ORDER = torch.tensor([2, 0, 3, 1])


def test_columns_and_gradients_are_those_of_an_index() -> None:
    values = torch.randn(5, 4, 3, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(5, 4, 3, dtype=torch.float64)
    ours = reordered(values, ORDER, ORDER.argsort())
    assert torch.equal(ours, values[:, ORDER])
    assert torch.equal(*(torch.autograd.grad(each, values, upstream)[0] for each in (ours, values[:, ORDER])))


def test_gradients_of_gradients_are_exact() -> None:
    values = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda each: reordered(each, ORDER, ORDER.argsort()).square(), [values])
