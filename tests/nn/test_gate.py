import torch
from torch import Tensor
from torch.nn.functional import gelu

from rankelastor.nn.gate import PaperGate, PublishedGate, UnitExpansionGate
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
