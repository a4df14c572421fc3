"""The gate is computed together with the map behind it where that saves products."""

import pytest
import torch
from torch import Tensor, nn

from rankelastor.execution.kernels.gate import GateOperation
from rankelastor.execution.lowering import Lowering
from rankelastor.nn.ffn.gate import PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm

TOKENS = 3
pytestmark = pytest.mark.usefixtures("needs_kernels")


def gate_and_map(width: int) -> tuple[PublishedGate, PerTokenLinear]:
    torch.manual_seed(1)
    gate = PublishedGate(num_tokens=TOKENS, dim=16, inner_dim=48)
    then = PerTokenLinear(num_tokens=TOKENS, in_dim=16, out_dims=[width])
    for parameter in (*gate.parameters(), *then.parameters()):
        nn.init.normal_(parameter, std=0.2)
    return gate, then


@pytest.mark.parametrize(
    ("width", "rows", "called"),
    [(4, 200, False), (40, 200, True), (4, 2, True)],
    ids=["narrow", "wide", "few rows"],  # of few rows, products of weights would cost more than they save
)
def test_a_gate_and_the_map_after_it_are_one_only_where_that_saves_products(
    width: int, rows: int, called: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, then = gate_and_map(width)
    tokens = torch.randn(rows, TOKENS, 16)
    expected = then(gate(tokens))
    calls: list[PerTokenLinear] = []
    plain = PerTokenLinear.forward

    def noted(self: PerTokenLinear, tokens: Tensor) -> Tensor:
        calls.append(self)
        return plain(self, tokens)

    monkeypatch.setattr(PerTokenLinear, "forward", noted)
    found = GateOperation(gate, then=then)(tokens)
    assert calls == ([then] if called else [])
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rows", [2, 200])
@pytest.mark.parametrize("normed", [True, False])
def test_the_gate_with_its_neighbours_has_their_gradients(rows: int, normed: bool) -> None:
    gate, then = gate_and_map(4)
    norm = PerTokenRMSNorm(num_tokens=TOKENS, dim=16) if normed else None
    tokens = torch.randn(rows, TOKENS, 16, requires_grad=True)
    leaves = [tokens, *gate.parameters(), *then.parameters(), *([] if norm is None else norm.parameters())]
    operation = GateOperation(gate, norm=norm, then=then)
    found, expected = (torch.autograd.grad(each(tokens).sum(), leaves) for each in (operation, operation.plain))
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=2e-3)


def test_hooks_on_a_gate_see_the_gate_alone() -> None:
    glu = PerTokenGlu(num_tokens=TOKENS, token_dim=4, hidden_dims=[16])
    seen: list[Tensor] = []
    tokens = torch.randn(200, TOKENS, 4)
    lowering = Lowering(glu)
    alone = lowering.current()(tokens)
    gate = glu.get_submodule("layers.0.gate")
    gate.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    watched = lowering.current()(tokens)
    assert seen[0].shape == (200, TOKENS, 4)
    assert torch.allclose(alone, watched, atol=1e-5)
