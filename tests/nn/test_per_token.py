import torch
from torch.nn.functional import linear, rms_norm

from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm


def test_per_token_linear_equals_one_linear_a_token() -> None:
    layer = PerTokenLinear(num_tokens=3, in_dim=4, out_dims=[5])
    torch.nn.init.normal_(layer.bias)
    tokens = torch.randn(8, 3, 4)
    naive = torch.stack([linear(tokens[:, t], layer.weight[t].T, layer.bias[t]) for t in range(3)], dim=1)
    assert torch.allclose(layer(tokens), naive, atol=1e-6)


def test_maps_side_by_side_start_as_if_each_stood_alone() -> None:
    torch.manual_seed(0)
    weight = PerTokenLinear(num_tokens=50, in_dim=30, out_dims=[90, 10]).weight
    wide, narrow = weight.split([90, 10], dim=2)
    assert abs(wide.std().item() - (2 / 120) ** 0.5) < 0.002
    assert abs(narrow.std().item() - (2 / 40) ** 0.5) < 0.004


def test_per_token_norm_has_a_gain_of_its_own_for_every_token() -> None:
    norm = PerTokenRMSNorm(num_tokens=3, dim=4)
    norm.weight.data = torch.randn(3, 4)
    tokens = torch.randn(8, 3, 4)
    naive = torch.stack([rms_norm(tokens[:, t], (4,), norm.weight[t], 1e-12) for t in range(3)], dim=1)
    assert torch.allclose(norm(tokens), naive, atol=1e-6)


def test_a_token_is_blind_to_the_others() -> None:
    layer = PerTokenLinear(num_tokens=3, in_dim=4, out_dims=[5])
    tokens = torch.randn(8, 3, 4, requires_grad=True)
    layer(tokens)[:, 1].sum().backward()
    assert tokens.grad is not None
    assert tokens.grad[:, [0, 2]].abs().sum() == 0
    assert (tokens.grad[:, 1] != 0).any()
