import pytest
import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.low_rank import LowRankMixing


def test_low_rank_mixing_by_hand() -> None:
    mixing = LowRankMixing(num_tokens=2, token_dim=2, rank=1)
    with torch.no_grad():
        mixing.down.weight.copy_(torch.tensor([[1.0, 0.0, 2.0, 0.0]]))
        mixing.up.weight.copy_(torch.tensor([[1.0], [0.0], [-1.0], [10.0]]))
        mixing.up.bias.copy_(torch.tensor([0.0, 5.0, 0.0, 0.0]))
    tokens = torch.tensor([[[1.0, -1.0], [1.0, 1.0]]])  # normed already; the middle is 1 + 2 = 3
    assert mixing(tokens).tolist() == [[[4.0, 4.0], [-2.0, 31.0]]]


def test_low_rank_mixing_of_full_rank_is_full_mixing() -> None:
    full, low_rank = FullMixing(num_tokens=3, token_dim=4), LowRankMixing(num_tokens=3, token_dim=4, rank=12)
    torch.nn.init.normal_(full.linear.bias)
    left, values, right = torch.linalg.svd(full.linear.weight.data)
    low_rank.up.weight.data, low_rank.down.weight.data = left * values, right
    low_rank.up.bias.data = full.linear.bias.data
    tokens = torch.randn(5, 3, 4)
    torch.testing.assert_close(low_rank(tokens), full(tokens))


def test_low_rank_mixing_has_two_thin_matrices() -> None:
    mixing = LowRankMixing(num_tokens=4, token_dim=6, rank=3)
    assert sum(parameter.numel() for parameter in mixing.parameters()) == 2 * 24 * 3 + 24 + 24  # bias, gain


def test_gradients_of_low_rank_mixing_are_exact() -> None:
    mixing = LowRankMixing(num_tokens=2, token_dim=3, rank=2).double()
    require_exact_gradients(mixing, torch.randn(2, 2, 3, dtype=torch.float64))


def test_a_rank_larger_than_all_coordinates_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"mixing\.rank must be at most .* = 24 .* but 25 was given; try 3, or mixing\.kind=full",
    ):
        LowRankMixing(num_tokens=4, token_dim=6, rank=25)
