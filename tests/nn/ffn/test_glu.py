import pytest
import torch
from tests.nn.gradients import require_exact_gradients
from torch import nn
from torch.nn.functional import gelu, rms_norm

from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.gate import PaperGate, PublishedGate, UnitExpansionGate
from rankelastor.nn.ffn.glu import GateName, PerTokenGlu, PerTokenGluLayer
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm


def layers_of(ffn: PerTokenGlu) -> list[PerTokenGluLayer]:
    return [layer for layer in ffn.layers if isinstance(layer, PerTokenGluLayer)]


def step_types(layer: nn.Module) -> list[type]:
    return [type(step) for step in layer.children()]


def test_the_glu_form_resizes_only_where_the_width_changes() -> None:
    first, second = layers_of(PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3, 5]))
    assert step_types(first) == [PerTokenRMSNorm, PublishedGate, nn.Identity, PerTokenDropout]
    assert step_types(second) == [PerTokenRMSNorm, PublishedGate, PerTokenLinear, PerTokenDropout]


def test_the_last_map_leads_back_to_the_width_of_tokens() -> None:
    assert PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3, 5]).out.weight.shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("gate", "expansion", "expected"),
    [("published", 3.0, PublishedGate), ("published", 1.0, UnitExpansionGate), ("paper", 1.0, PaperGate)],
)
def test_gates_go_by_name(gate: GateName, expansion: float, expected: type) -> None:
    (layer,) = layers_of(PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3], gate=gate, expansion=expansion))
    assert type(layer.gate) is expected


def test_the_inner_width_is_rounded_down() -> None:
    ffn = PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3], expansion=1.5, norm=False)
    (layer,) = layers_of(ffn)
    gate = layer.gate
    assert isinstance(gate, PublishedGate)
    assert gate.lift.out_dims == (4, 4, 4, 3)


def test_an_expansion_without_inner_width_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"ffn\.expansion must leave an inner width of 1 or more"):
        PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3], expansion=0.2)


def test_the_glu_is_its_naive_loop_over_tokens() -> None:
    ffn = PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[5], expansion=2.0).double()
    for parameter in ffn.parameters():
        nn.init.normal_(parameter, std=0.5)
    (layer,) = layers_of(ffn)
    gate, widen = layer.gate, layer.widen
    assert isinstance(gate, PublishedGate)
    assert isinstance(widen, PerTokenLinear)
    tokens = torch.randn(4, 2, 3, dtype=torch.float64)
    for token in range(2):
        x = rms_norm(tokens[:, token], (3,), layer.norm.get_parameter("weight")[token], 1e-12)
        w1, w2, s2, s1 = (x @ gate.lift.weight[token] + gate.lift.bias[token]).split([6, 6, 6, 3], dim=-1)
        gated = ((s2 + gelu(w1)) * w2) @ gate.reduce.weight[token] + gate.reduce.bias[token] + s1
        widened = gated @ widen.weight[token] + widen.bias[token]
        expected = widened @ ffn.out.weight[token] + ffn.out.bias[token]
        torch.testing.assert_close(ffn(tokens)[:, token], expected)


@pytest.mark.parametrize(("gate", "expansion"), [("published", 2.0), ("published", 1.0), ("paper", 1.0)])
def test_gradients_of_the_glu_are_exact(gate: GateName, expansion: float) -> None:
    ffn = PerTokenGlu(num_tokens=2, token_dim=2, hidden_dims=[2, 3], gate=gate, expansion=expansion).double()
    require_exact_gradients(ffn, torch.randn(2, 2, 2, dtype=torch.float64))
