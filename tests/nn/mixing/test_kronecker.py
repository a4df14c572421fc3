from typing import Literal

import pytest
import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing


def test_kronecker_mixing_is_full_mixing_with_equal_diagonal_blocks() -> None:
    kronecker = KroneckerMixing(num_tokens=4, token_dim=6, num_groups=3, norm="pre")
    full = FullMixing(num_tokens=4, token_dim=6)
    full.linear.weight.data = torch.block_diag(*[kronecker.linear.weight.data] * 3)
    tokens = torch.randn(5, 4, 6)
    assert torch.allclose(kronecker(tokens), full(tokens), atol=1e-6)


def test_kronecker_mixing_with_post_norm_norms_each_token() -> None:
    tokens = KroneckerMixing(num_tokens=4, token_dim=6, num_groups=2, norm="post")(torch.randn(5, 4, 6))
    assert torch.allclose(tokens.mean(-1), torch.zeros(5, 4), atol=1e-6)
    assert torch.allclose(tokens.var(-1, correction=0), torch.ones(5, 4), atol=1e-3)


def test_kronecker_groups_must_divide() -> None:
    with pytest.raises(ValueError, match=r"mixing\.num_groups must divide num_tokens \* token_dim = 24"):
        KroneckerMixing(num_tokens=4, token_dim=6, num_groups=5, norm="pre")


def test_kronecker_mixing_by_hand() -> None:
    mixing = KroneckerMixing(num_tokens=2, token_dim=2, num_groups=2, norm="pre")
    mixing.linear.weight.data = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    tokens = torch.tensor([[[1.0, -1.0], [1.0, 1.0]]])  # their root mean square is 1
    assert mixing(tokens).tolist() == [[[0.0, 1.0], [2.0, 3.0]]]


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gradients_of_kronecker_mixing_are_exact(norm: Literal["pre", "post"]) -> None:
    mixing = KroneckerMixing(num_tokens=2, token_dim=3, num_groups=2, norm=norm).double()
    require_exact_gradients(mixing, torch.randn(2, 2, 3, dtype=torch.float64))
