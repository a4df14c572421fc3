import copy

import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import Tensor, nn
from torch.nn.functional import gelu

from rankelastor.nn.ffn.gate import PaperGate, PublishedGate, UnitExpansionGate
from rankelastor.nn.per_token import PerTokenLinear


def maps(layer: PerTokenLinear, token: int, x: Tensor) -> list[Tensor]:
    """The maps that lie side by side in ``layer``, of one token, applied to x (batch, in)."""
    out = x @ layer.weight[token] + layer.bias[token]
    return list(out.split(list(layer.out_dims), dim=-1))


def test_the_published_gate_by_its_formula() -> None:
    gate, x = PublishedGate(num_tokens=2, dim=3, inner_dim=6), torch.randn(4, 2, 3)
    torch.nn.init.normal_(gate.lift.bias)
    for token in range(2):
        w1, w2, s2, s1 = maps(gate.lift, token, x[:, token])
        expected = maps(gate.reduce, token, (s2 + gelu(w1)) * w2)[0] + s1
        assert torch.allclose(gate(x)[:, token], expected, atol=1e-6)


def test_the_published_gate_at_expansion_one_by_its_formula() -> None:
    gate, x = UnitExpansionGate(num_tokens=2, dim=3), torch.randn(4, 2, 3)
    for token in range(2):
        w1, w2, s1 = maps(gate.lift, token, x[:, token])
        assert torch.allclose(gate(x)[:, token], (s1 + gelu(w1)) * w2 + s1, atol=1e-6)


def test_the_papers_gate_by_its_formula() -> None:
    gate, x = PaperGate(num_tokens=2, dim=3, inner_dim=6), torch.randn(4, 2, 3)
    for token in range(2):
        w1, w2, residual = maps(gate.lift, token, x[:, token])
        expected = maps(gate.reduce, token, gelu(w1) * w2)[0] + residual
        assert torch.allclose(gate(x)[:, token], expected, atol=1e-6)


def test_the_published_gate_by_hand() -> None:
    gate = PublishedGate(num_tokens=1, dim=1, inner_dim=1)
    gate.lift.weight.data = torch.tensor([[[0.0, 2.0, 3.0, 5.0]]])  # W1, W2, S2, S1
    gate.lift.bias.data = torch.tensor([[0.0, 1.0, 0.0, 0.5]])
    gate.reduce.weight.data = torch.tensor([[[10.0]]])
    gate.reduce.bias.data = torch.tensor([[0.25]])
    # x = 2: GELU(0) = 0, W2 x + 1 = 5, S2 x = 6, S1 x + .5 = 10.5: (6 + 0) * 5 * 10 + .25 + 10.5
    assert gate(torch.tensor([[[2.0]]])).item() == 310.75


@pytest.mark.parametrize(
    "gate",
    [
        PublishedGate(num_tokens=2, dim=2, inner_dim=3),
        UnitExpansionGate(num_tokens=2, dim=2),
        PaperGate(num_tokens=2, dim=2, inner_dim=3),
    ],
    ids=lambda gate: type(gate).__name__,
)
def test_gradients_of_gates_are_exact(gate: nn.Module) -> None:
    require_exact_gradients(copy.deepcopy(gate).double(), torch.randn(2, 2, 2, dtype=torch.float64))
