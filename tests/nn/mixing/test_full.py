import pytest
import torch
from torch.nn.functional import rms_norm

from rankelastor.nn.mixing.full import FullMixing


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


def test_full_mixing_by_hand() -> None:
    mixing = FullMixing(num_tokens=2, token_dim=1)
    mixing.linear.weight.data = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    mixing.linear.bias.data = torch.tensor([0.0, 10.0])
    mixing.norm.weight.data = torch.tensor([1.0, 3.0])
    # (5, 5) has the root mean square 5: normed (1, 1), with the gain (1, 3); the map gives (4, 6 + 10)
    torch.testing.assert_close(mixing(torch.tensor([[[5.0], [5.0]]])), torch.tensor([[[9.0], [21.0]]]))
