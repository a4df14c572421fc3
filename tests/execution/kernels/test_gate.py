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


def gate_and_map(width: int, *, dim: int = 16) -> tuple[PublishedGate, PerTokenLinear]:
    torch.manual_seed(1)
    gate = PublishedGate(num_tokens=TOKENS, dim=dim, inner_dim=3 * dim)
    then = PerTokenLinear(num_tokens=TOKENS, in_dim=dim, out_dims=[width])
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


@pytest.mark.parametrize(
    "dim", [2, 3, 4, 10, 15]
)  # narrower than a strip's row of four, not a multiple of it, and widest
@pytest.mark.parametrize("rows", [16, 33, 3000])  # one strip, a rest of one row, several blocks
@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("is_mapped", [True, False])
def test_gates_of_narrow_tokens_are_those_of_the_formula(dim: int, rows: int, normed: bool, is_mapped: bool) -> None:
    gate, then = gate_and_map(max(1, dim - 2), dim=dim)
    norm = PerTokenRMSNorm(num_tokens=TOKENS, dim=dim) if normed else None
    operation = GateOperation(gate, norm=norm, then=then if is_mapped else None)
    tokens = torch.randn(rows, TOKENS, dim, requires_grad=True)
    modules = [gate, *([norm] if norm else []), *([then] if is_mapped else [])]
    leaves = [tokens, *(parameter for module in modules for parameter in module.parameters())]
    found, expected = operation(tokens), operation.plain(tokens)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    upstream = torch.randn_like(expected)
    mine, theirs = (torch.autograd.grad(each, leaves, upstream) for each in (found, expected))
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * max(1.0, other.abs().max().item()))


@pytest.mark.parametrize("dim", [8, 26, 64])
def test_a_row_has_the_same_bits_whatever_rows_are_scored_with_it(dim: int) -> None:
    gate, _ = gate_and_map(1, dim=dim)
    operation, tokens = GateOperation(gate), torch.randn(200, TOKENS, dim)
    with torch.no_grad():
        whole, part = operation(tokens), operation(tokens[50:83])
    assert torch.equal(whole[50:83], part)


def test_a_row_that_is_not_finite_leaves_the_rows_beside_it_alone() -> None:
    gate, _ = gate_and_map(1, dim=8)
    tokens = torch.randn(40, TOKENS, 8)
    expected = GateOperation(gate)(tokens)
    tokens[17] = torch.nan
    found = GateOperation(gate)(tokens)
    others = torch.arange(40) != 17
    assert found[17].isnan().all()
    assert torch.equal(found[others], expected[others])


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
