"""Relative singular values, from which every measure is computed."""

from __future__ import annotations

import pytest
import torch

from rankelastor.spectrum.singular_values import SpectrumMethod, relative_singular_values

METHODS: tuple[SpectrumMethod, ...] = ("exact", "gram")


@pytest.mark.parametrize("method", METHODS)
def test_they_descend_from_one(method: SpectrumMethod) -> None:
    relative = relative_singular_values(torch.randn(50, 4, 7), method=method)
    assert relative.shape == (50, 4)
    assert (relative[:, 0] == 1).all()
    assert (relative.diff(dim=-1) <= 0).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_match_numpys(method: SpectrumMethod, dtype: torch.dtype) -> None:
    matrix = torch.randn(20, 7, 4, dtype=dtype)
    values = torch.linalg.svdvals(matrix.double())
    torch.testing.assert_close(
        relative_singular_values(matrix, method=method).double(), values / values[:, :1], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_zero_matrix_has_zeros_and_one_that_is_not_finite_has_nan(method: SpectrumMethod) -> None:
    batch = torch.stack([torch.zeros(2, 3), torch.full((2, 3), torch.nan), torch.eye(2, 3)])
    torch.testing.assert_close(
        relative_singular_values(batch, method=method),
        torch.tensor([[0.0, 0.0], [torch.nan, torch.nan], [1.0, 1.0]]),
        equal_nan=True,
    )


def test_the_grad_mode_of_the_caller_reaches_large_batches() -> None:
    weight = torch.randn(600, 3, 4, requires_grad=True)
    assert relative_singular_values(weight).requires_grad
    with torch.no_grad():
        assert not relative_singular_values(weight).requires_grad


def test_inference_mode_is_no_obstacle() -> None:
    with torch.inference_mode():
        assert relative_singular_values(torch.randn(600, 3, 4)).shape == (600, 3)
