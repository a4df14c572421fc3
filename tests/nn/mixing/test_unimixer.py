from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.nn.gradients import require_exact_gradients
from torch import nn

from rankelastor.nn.mixing.unimixer import LiteUniMixing, UniMixing, alternating_sinkhorn, mix_blocks
from rankelastor.nn.scheduled import scheduled_modules
from rankelastor.nn.sizes import SizesDoNotFit

SIZES: dict[str, Any] = {"num_tokens": 3, "token_dim": 4, "block_dim": 4}
FORMS: dict[str, Callable[..., Any]] = {
    "full": partial(UniMixing, **SIZES),
    "lite": partial(LiteUniMixing, **SIZES, rank=2, num_bases=2),
}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(0, 99))
def test_rows_and_columns_of_every_matrix_sum_to_one(count: int, size: int, seed: int) -> None:
    scores = torch.randn(count, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    matrix = alternating_sinkhorn(scores, iterations=200)
    ones = torch.ones(count, size, dtype=torch.float64)
    assert (matrix > 0).all()
    torch.testing.assert_close(matrix.sum(1), ones)
    torch.testing.assert_close(matrix.sum(2), ones, atol=1e-6, rtol=0)


def test_two_by_two_by_hand() -> None:
    # Scaling keeps the ratio of the two diagonals: [[1, 4], [1, 1]] becomes [[a, b], [b, a]] with a^2 / b^2 = 1 / 4.
    matrix = alternating_sinkhorn(torch.tensor([[[1.0, 4.0], [1.0, 1.0]]]).log(), iterations=50)
    torch.testing.assert_close(matrix, torch.tensor([[[1 / 3, 2 / 3], [2 / 3, 1 / 3]]]))


def test_equal_scores_give_the_mean_and_large_ones_do_not_overflow() -> None:
    assert alternating_sinkhorn(torch.zeros(1, 4, 4), iterations=1).unique().tolist() == [0.25]
    far = alternating_sinkhorn(1e4 * torch.eye(3).unsqueeze(0), iterations=20)
    torch.testing.assert_close(far, torch.eye(3).unsqueeze(0))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("symmetrise", ["before", "after"])
def test_the_maps_are_doubly_stochastic_and_the_global_one_is_symmetric(form: str, symmetrise: str) -> None:
    maps = FORMS[form](symmetrise=symmetrise, iterations=100).double().maps
    local, across = maps()
    for matrix in (*local, across):
        torch.testing.assert_close(matrix.sum(0), torch.ones(len(matrix), dtype=torch.float64), atol=1e-6, rtol=0)
        torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(across, across.T, atol=1e-6, rtol=0)
    assert torch.allclose(local, local.transpose(1, 2), atol=1e-6) == (form == "full")


def test_symmetrising_after_the_scaling_is_exact_however_few_iterations() -> None:
    for symmetrise, exact in (("before", False), ("after", True)):
        mixing = FORMS["full"](symmetrise=symmetrise, iterations=1)
        nn.init.normal_(mixing.maps.across.scores)
        across = mixing.maps()[1]
        assert torch.equal(across, across.T) == exact


def test_mixing_is_a_loop_over_blocks() -> None:
    tokens, local, across = torch.randn(2, 3, 4), torch.randn(6, 2, 2), torch.randn(6, 6)
    mixed = mix_blocks(tokens, local, across).flatten(1)
    blocks = tokens.flatten(1).split(2, dim=1)
    for out in range(6):
        expected = sum(across[out, i] * (blocks[i] @ local[i]) for i in range(6))
        torch.testing.assert_close(mixed[:, 2 * out : 2 * out + 2], expected)


@pytest.mark.parametrize("form", FORMS)
def test_mixing_keeps_the_sum_of_all_coordinates(form: str) -> None:
    tokens = torch.randn(5, 3, 4, dtype=torch.float64)
    mixed = FORMS[form](iterations=200).double()(tokens)
    torch.testing.assert_close(mixed.sum((1, 2)), tokens.sum((1, 2)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_the_temperature_falls_linearly_to_its_end_and_sharpens_the_maps(form: str) -> None:
    mixing = FORMS[form](fall_epochs=2.0)
    (schedule,) = scheduled_modules(mixing)
    seen = []
    for epochs in (0.0, 1.0, 2.0, 9.0):
        schedule.set_epochs_done(epochs)
        seen.append((round(float(mixing.maps.temperature), 3), float(mixing.maps()[0].detach().square().sum())))
    assert [temperature for temperature, _ in seen] == [1.0, 0.525, 0.05, 0.05]
    assert seen[0][1] < seen[1][1] < seen[2][1]
    assert "maps.temperature" in mixing.state_dict()


def test_the_weights_are_those_of_the_formulas() -> None:
    def count(mixing: nn.Module) -> int:
        return sum(parameter.numel() for parameter in mixing.parameters())

    sizes: dict[str, Any] = {"num_tokens": 10, "token_dim": 12, "block_dim": 6}  # n = 20 blocks
    assert count(UniMixing(**sizes)) == 20 * 20 + 120 * 6
    assert count(LiteUniMixing(**sizes, rank=3, num_bases=4)) == 2 * 20 * 3 + 20 * 4 + 4 * 36


def test_a_block_must_divide_all_coordinates() -> None:
    with pytest.raises(SizesDoNotFit, match=r"uni_mixing\.block_dim must divide num_tokens \* token_dim = 12"):
        UniMixing(num_tokens=3, token_dim=4, block_dim=5)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_exact(form: str) -> None:
    mixing = FORMS[form](iterations=4).double()
    require_exact_gradients(mixing, torch.randn(2, 3, 4, dtype=torch.float64))
