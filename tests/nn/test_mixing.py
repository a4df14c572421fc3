import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.nn.gradients import require_exact_gradients
from torch.nn.functional import layer_norm, rms_norm

from rankelastor.nn.mixing import FullMixing, IdentityMixing, KroneckerMixing, LowRankMixing, SplitMixing, swap_parts


@given(st.integers(1, 5), st.integers(1, 4))
def test_swapping_parts_is_a_permutation_and_its_own_inverse(num_tokens: int, part_dim: int) -> None:
    dim = num_tokens * part_dim
    tokens = torch.arange(float(num_tokens * dim)).view(1, num_tokens, dim)
    swapped = swap_parts(tokens)
    assert sorted(swapped.flatten().tolist()) == tokens.flatten().tolist()
    assert torch.equal(swap_parts(swapped), tokens)


def test_split_mixing_by_hand() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 5.0]]])  # swapped: [1, 3], [2, 5]
    expected = layer_norm(torch.tensor([[[2.0, 5.0], [5.0, 10.0]]]), (2,))
    assert torch.allclose(SplitMixing(num_tokens=2, token_dim=2)(tokens), expected)


def test_split_mixing_needs_tokens_that_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"num_tokens must divide token_dim = 8 .*3 was given; try one of 1, 2, 4, 8"):
        SplitMixing(num_tokens=3, token_dim=8)


def test_full_mixing_with_a_permutation_matrix_adds_the_permuted_normed_tokens() -> None:
    mixing = FullMixing(num_tokens=2, token_dim=3)
    permutation = torch.randperm(6)
    mixing.linear.weight.data = torch.eye(6)[permutation]
    tokens = torch.randn(4, 2, 3)
    normed = rms_norm(tokens.flatten(1), (6,), eps=1e-12)
    assert torch.allclose(mixing(tokens), tokens + normed[:, permutation].view(4, 2, 3), atol=1e-6)


def test_full_mixing_starts_with_the_published_values() -> None:
    torch.manual_seed(0)
    mixing = FullMixing(num_tokens=10, token_dim=20)
    assert mixing.linear.weight.std().item() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert mixing.linear.bias.abs().sum() == 0


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


def test_identity_mixing_changes_nothing() -> None:
    tokens = torch.randn(2, 3, 4)
    assert IdentityMixing()(tokens) is tokens


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
