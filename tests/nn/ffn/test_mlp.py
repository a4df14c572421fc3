import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import nn
from torch.nn.functional import gelu, rms_norm

from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.mlp import PerTokenMlp, PerTokenMlpLayer
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm


@pytest.mark.parametrize(("norm", "kind"), [(True, PerTokenRMSNorm), (False, nn.Identity)])
def test_the_mlp_form_has_its_steps_in_order(norm: bool, kind: type[nn.Module]) -> None:
    ffn = PerTokenMlp(num_tokens=2, token_dim=3, hidden_dims=[4], activation="tanh", norm=norm)
    (layer,) = ffn.layers
    assert [type(step) for step in layer.children()] == [PerTokenLinear, kind, nn.Tanh, PerTokenDropout]
    assert type(ffn.out) is PerTokenLinear


def test_every_token_has_its_own_weights() -> None:
    ffn = PerTokenMlp(num_tokens=2, token_dim=3, hidden_dims=[4])
    out = ffn(torch.ones(1, 2, 3))
    assert not torch.allclose(out[0, 0], out[0, 1])


def test_the_mlp_by_hand() -> None:
    ffn = PerTokenMlp(num_tokens=1, token_dim=2, hidden_dims=[3], activation="relu")
    (layer,) = ffn.layers
    assert isinstance(layer, PerTokenMlpLayer)
    layer.linear.weight.data = torch.tensor([[[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]])
    layer.linear.bias.data = torch.tensor([[0.0, -1.0, 0.0]])
    ffn.out.weight.data = torch.tensor([[[1.0, 0.0], [10.0, 0.0], [0.0, 100.0]]])
    ffn.out.bias.data = torch.tensor([[0.5, 0.0]])
    # hidden of (2, 3): (2, 3 - 1, -2), of which ReLU leaves (2, 2, 0)
    assert ffn(torch.tensor([[[2.0, 3.0]]])).tolist() == [[[22.5, 0.0]]]


def test_the_mlp_is_its_naive_loop_over_tokens() -> None:
    ffn = PerTokenMlp(num_tokens=2, token_dim=3, hidden_dims=[5], norm=True).double()
    for parameter in ffn.parameters():
        nn.init.normal_(parameter, std=0.5)
    (layer,) = ffn.layers
    assert isinstance(layer, PerTokenMlpLayer)
    tokens = torch.randn(4, 2, 3, dtype=torch.float64)
    for token in range(2):
        lifted = tokens[:, token] @ layer.linear.weight[token] + layer.linear.bias[token]
        hidden = gelu(rms_norm(lifted, (5,), layer.norm.get_parameter("weight")[token], 1e-12))
        torch.testing.assert_close(ffn(tokens)[:, token], hidden @ ffn.out.weight[token] + ffn.out.bias[token])


def test_gradients_of_the_mlp_are_exact() -> None:
    ffn = PerTokenMlp(num_tokens=2, token_dim=2, hidden_dims=[3, 2], norm=True).double()
    require_exact_gradients(ffn, torch.randn(2, 2, 2, dtype=torch.float64))
