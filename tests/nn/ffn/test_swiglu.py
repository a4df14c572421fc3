import math

import torch
from tests.nn.gradients import require_exact_gradients

from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu


def test_one_token_by_hand() -> None:
    ffn = PerTokenSwiGlu(num_tokens=1, token_dim=1, hidden_dim=1)
    ffn.up.weight.data = torch.tensor([[[2.0, 3.0]]])  # gate, up
    ffn.up.bias.data = torch.tensor([[1.0, -1.0]])
    ffn.down.weight.data = torch.tensor([[[10.0]]])
    ffn.down.bias.data = torch.tensor([[0.5]])
    # x = 1: gate 3, up 2, so 10 * 3 sigmoid(3) * 2 + 0.5
    expected = 10 * 3 / (1 + math.exp(-3)) * 2 + 0.5
    torch.testing.assert_close(ffn(torch.ones(1, 1, 1)), torch.tensor([[[expected]]]))


def test_the_initial_scale_acts_on_the_last_map_alone() -> None:
    torch.manual_seed(0)
    plain = PerTokenSwiGlu(num_tokens=2, token_dim=3, hidden_dim=4)
    torch.manual_seed(0)
    small = PerTokenSwiGlu(num_tokens=2, token_dim=3, hidden_dim=4, down_scale=0.01)
    torch.testing.assert_close(small.down.weight, 0.01 * plain.down.weight)
    assert torch.equal(small.up.weight, plain.up.weight)


def test_every_token_has_its_own_weights() -> None:
    out = PerTokenSwiGlu(num_tokens=2, token_dim=3, hidden_dim=4)(torch.ones(1, 2, 3))
    assert not torch.allclose(out[0, 0], out[0, 1])


def test_gradients_are_exact() -> None:
    ffn = PerTokenSwiGlu(num_tokens=2, token_dim=3, hidden_dim=4).double()
    require_exact_gradients(ffn, torch.randn(2, 2, 3, dtype=torch.float64))
