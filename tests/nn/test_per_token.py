import copy

import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import nn
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


def test_per_token_linear_by_hand() -> None:
    layer = PerTokenLinear(num_tokens=2, in_dim=2, out_dims=[1, 2])
    layer.weight.data = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0], [5.0, 0.0, 0.0]]])
    layer.bias.data = torch.tensor([[0.0, 0.0, 100.0], [7.0, 0.0, 0.0]])
    assert layer(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist() == [[[1.0, 2.0, 105.0], [27.0, 3.0, 0.0]]]


def test_per_token_norm_by_hand() -> None:
    norm = PerTokenRMSNorm(num_tokens=2, dim=2)
    norm.weight.data = torch.tensor([[1.0, 10.0], [2.0, 0.0]])
    normed = norm(torch.tensor([[[7.0, -1.0], [-3.0, 3.0]]]))  # mean squares 25 and 9
    torch.testing.assert_close(normed, torch.tensor([[[1.4, -2.0], [-2.0, 0.0]]]))


@pytest.mark.parametrize(
    "layer",
    [PerTokenLinear(num_tokens=2, in_dim=3, out_dims=[2, 1]), PerTokenRMSNorm(num_tokens=2, dim=3)],
    ids=lambda layer: type(layer).__name__,
)
def test_gradients_are_exact(layer: nn.Module) -> None:
    require_exact_gradients(copy.deepcopy(layer).double(), torch.randn(3, 2, 3, dtype=torch.float64))


def test_results_lie_token_by_token_in_memory() -> None:
    out = PerTokenLinear(num_tokens=3, in_dim=4, out_dims=[5])(torch.randn(8, 3, 4))
    assert out.transpose(0, 1).is_contiguous()
