"""Stable rank by power iteration: its error is one-sided and within the stated limit, even for the worst spectra."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.spectrum.measures import stable_rank
from rankelastor.spectrum.power_iteration import stable_rank_by_power_iteration


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 30), columns=st.integers(1, 30), power=st.floats(0, 4))
def test_the_error_is_one_sided_and_within_the_limit(seed: int, rows: int, columns: int, power: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(5, rows, columns, generator=generator) * torch.arange(1, columns + 1) ** -power
    ratio = stable_rank_by_power_iteration(matrix).double() / stable_rank(matrix.double())
    assert ratio.min() >= 1 - 2e-6
    assert ratio.max() <= min(rows, columns) ** (1 / 32)


def test_the_hardest_spectra_stay_within_the_limit() -> None:
    """Check many equal values just below the first: the limit is a theorem, so it holds for any gap."""
    for gap in (1e-4, 1e-3, 1e-2, 0.03, 0.1):
        values = torch.full((64,), 1 - gap, dtype=torch.float64)
        values[0] = 1
        rotation = torch.linalg.qr(torch.randn(64, 64, dtype=torch.float64)).Q
        matrix = rotation * values
        ratio = float(stable_rank_by_power_iteration(matrix) / stable_rank(matrix))
        assert 1 - 1e-12 <= ratio <= 64 ** (1 / 32)


def test_gaussian_matrices_come_out_right_to_a_tenth_of_a_percent() -> None:
    matrix = torch.randn(4096, 26, 30, generator=torch.Generator().manual_seed(0))
    ratio = stable_rank(matrix, method="power").double() / stable_rank(matrix.double(), method="gram") - 1
    assert ratio.max() < 1e-3
    assert ratio.abs().mean() < 1e-6


def test_equal_leading_values_are_no_trouble() -> None:
    torch.testing.assert_close(stable_rank(torch.eye(6, 9), method="power"), torch.tensor(6.0))


def test_large_sides_neither_overflow_nor_vanish_in_float32() -> None:
    matrix = torch.randn(2, 300, 400, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(stable_rank(matrix, method="power"), stable_rank(matrix), rtol=5e-3, atol=0)


def test_the_global_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    stable_rank(torch.eye(4), method="power")
    assert torch.equal(before, torch.get_rng_state())


def test_the_gradient_is_right_where_the_leading_value_stands_out() -> None:
    matrix = torch.diag(torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)) + 0.1
    assert torch.autograd.gradcheck(stable_rank_by_power_iteration, [matrix.requires_grad_()])
