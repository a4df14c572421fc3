import pytest
import torch
from torch import nn

from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn import PerTokenGlu, PerTokenMlp, ResidualFfn
from rankelastor.nn.gate import PaperGate, PublishedGate, UnitExpansionGate
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm


def step_types(ffn: nn.Module) -> list[type]:
    return [type(step) for step in ffn.children()]


def test_the_mlp_form_has_its_steps_in_order() -> None:
    ffn = PerTokenMlp(num_tokens=2, token_dim=3, hidden_dims=[4], activation="tanh", norm=True)
    assert step_types(ffn) == [PerTokenLinear, PerTokenRMSNorm, nn.Tanh, PerTokenDropout, PerTokenLinear]


def test_the_glu_form_resizes_only_where_the_width_changes() -> None:
    ffn = PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3, 5])
    first, second = [PerTokenRMSNorm, PublishedGate, PerTokenDropout], [PerTokenRMSNorm, PublishedGate, PerTokenLinear]
    assert step_types(ffn) == [*first, *second, PerTokenDropout, PerTokenLinear]


@pytest.mark.parametrize(
    ("gate", "expansion", "expected"),
    [("published", 3.0, PublishedGate), ("published", 1.0, UnitExpansionGate), ("paper", 1.0, PaperGate)],
)
def test_gates_go_by_name(gate: str, expansion: float, expected: type) -> None:
    ffn = PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3], gate=gate, expansion=expansion)  # type: ignore[arg-type]
    assert expected in step_types(ffn)


def test_the_inner_width_is_rounded_down() -> None:
    ffn = PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3], expansion=1.5, norm=False)
    gate = next(ffn.children())
    assert isinstance(gate, PublishedGate)
    assert gate.lift.out_dims == (4, 4, 4, 3)


def test_an_expansion_without_inner_width_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"ffn\.expansion must leave an inner width of 1 or more"):
        PerTokenGlu(num_tokens=2, token_dim=3, hidden_dims=[3], expansion=0.2)


def test_every_token_has_its_own_weights() -> None:
    ffn = PerTokenMlp(num_tokens=2, token_dim=3, hidden_dims=[4])
    out = ffn(torch.ones(1, 2, 3))
    assert not torch.allclose(out[0, 0], out[0, 1])


def test_the_residual_is_added() -> None:
    tokens = torch.randn(2, 3, 4)
    assert torch.equal(ResidualFfn(nn.Identity())(tokens), 2 * tokens)
