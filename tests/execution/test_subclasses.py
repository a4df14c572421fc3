"""Subclasses keep their own forward, with kernels and without: adapters, quantised and masked layers are such.

An operation stands for layers of exactly the registered types. Here each type has a subclass whose forward adds 100, in
every place where an operation reaches over it, and the calls are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from tests.execution.comparing import SEED, drawing, exact_results, lowered_results, plain_results, require_as_exact
from torch import Tensor, nn

from rankelastor.execution.lowering import Lowering
from rankelastor.nn.dropout import Dropout, PerTokenDropout
from rankelastor.nn.ffn.gate import PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu, PerTokenGluLayer
from rankelastor.nn.ffn.mlp import PerTokenMlp, PerTokenMlpLayer
from rankelastor.nn.head import MlpHead
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm
from rankelastor.nn.projection import Projection, ProjectionLayer

TOKENS, DIM, ROWS = 3, 8, 150
calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls_yet() -> Iterator[None]:
    calls.clear()
    yield
    calls.clear()


def plus_100(kind: type[nn.Module]) -> type[nn.Module]:
    """A subclass whose forward adds 100, and counts its calls."""

    class PlusHundred(kind):  # type: ignore[misc, valid-type]
        def forward(self, x: Tensor) -> Tensor:
            calls.append(kind.__name__)
            out: Tensor = super().forward(x)
            return out + 100

    return PlusHundred


def subclassed(layer: nn.Module, *places: str) -> nn.Module:
    """Turn the layers at these places into such subclasses of their types."""
    torch.manual_seed(1)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.4)
    for place in places:
        inner = layer.get_submodule(place)
        inner.__class__ = plus_100(type(inner))
    return layer


def glu(**changes: object) -> PerTokenGlu:
    return PerTokenGlu(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[16], **changes)  # type: ignore[arg-type]


def mlp(**changes: object) -> PerTokenMlp:
    return PerTokenMlp(num_tokens=TOKENS, token_dim=DIM, hidden_dims=[16, 9], **changes)  # type: ignore[arg-type]


def projection() -> Projection:
    return Projection(in_dim=DIM, hidden_dims=[16, 9], out_dim=4, dropout=0.2)


PLACES: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "mlp": (
        lambda: mlp(dropout=0.2),
        [
            "",
            "layers.0",
            "layers.1",
            "layers.0.linear",
            "layers.1.linear",
            "layers.0.activation",
            "layers.0.dropout",
            "out",
        ],
    ),
    "mlp with norm": (lambda: mlp(norm=True), ["layers.0.norm", "layers.1.norm", "layers.0.linear"]),
    "glu": (
        lambda: glu(dropout=0.2),
        ["", "layers.0", "layers.0.norm", "layers.0.gate", "layers.0.widen", "layers.0.dropout", "out"],
    ),
    "maps in the gate of a glu": (glu, ["layers.0.gate.lift", "layers.0.gate.reduce"]),
    "gate": (lambda: PublishedGate(num_tokens=TOKENS, dim=DIM, inner_dim=9), ["", "lift", "reduce"]),
    "projection": (
        projection,
        [
            "",
            "layers.0",
            "layers.0.linear",
            "layers.0.norm",
            "layers.0.activation",
            "layers.0.dropout",
            "layers.1.linear",
            "out",
        ],
    ),
    "head": (lambda: MlpHead(num_tokens=TOKENS, token_dim=DIM), ["", "hidden", "out"]),
    "full mixing": (lambda: FullMixing(num_tokens=TOKENS, token_dim=DIM), ["", "norm", "linear"]),
    "split mixing": (lambda: SplitMixing(num_tokens=2, token_dim=DIM), ["", "norm"]),
    "norm": (lambda: RMSNorm(DIM), [""]),
    "norm of tokens": (lambda: PerTokenRMSNorm(num_tokens=TOKENS, dim=DIM), [""]),
    "dropout": (lambda: Dropout(0.3), [""]),
    "dropout of tokens": (lambda: PerTokenDropout(0.3), [""]),
}
EACH = [(name, place) for name, (_, places) in PLACES.items() for place in places]


def input_of(layer: nn.Module) -> Tensor:
    tokens = 2 if isinstance(layer, SplitMixing) else TOKENS
    return torch.randn(ROWS, tokens, DIM, generator=torch.Generator().manual_seed(2))


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize(("name", "place"), EACH)
def test_a_subclass_is_called_and_its_result_taken(name: str, place: str) -> None:
    layer = subclassed(PLACES[name][0](), place)
    x = input_of(layer)
    found = lowered_results(layer, x)
    assert len(calls) == 1
    plain = plain_results(layer, x)
    assert len(calls) == 2
    require_as_exact(found, plain, exact_results(layer, x))


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize(("name", "place"), EACH)
def test_a_subclass_is_called_while_scoring_too(name: str, place: str) -> None:
    layer = subclassed(PLACES[name][0](), place).eval()
    x = input_of(layer)
    with torch.inference_mode():
        found = Lowering(layer).current()(x)
        assert len(calls) == 1
        torch.testing.assert_close(found, layer(x), rtol=1e-4, atol=1e-2)


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("name", PLACES)
def test_subclasses_in_all_places_at_once(name: str) -> None:
    places = [place for place in PLACES[name][1] if place]
    layer = subclassed(PLACES[name][0](), *places)
    x = input_of(layer)
    found = lowered_results(layer, x)
    assert len(calls) == len(places)
    require_as_exact(found, plain_results(layer, x), exact_results(layer, x))


@pytest.mark.usefixtures("needs_kernels")
def test_a_subclass_makes_a_difference_that_rounding_does_not() -> None:
    """The fault that these tests are about: the subclass was bypassed where kernels were there."""
    layer = subclassed(mlp(), "layers.0.linear").eval()
    x = input_of(layer)
    assert Lowering(layer).current()(x).abs().max() > 50
    layer.get_submodule("layers.0.linear").__class__ = PerTokenLinear
    assert Lowering(layer).current()(x).abs().max() < 50


class OfItsOwn(PublishedGate):
    """A gate with the documented signature and another formula."""

    def forward(self, tokens: Tensor) -> Tensor:
        calls.append("gate")
        return tokens.sigmoid()


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("norm", [True, False])
def test_a_gate_of_ones_own_needs_to_know_nothing_of_its_neighbours(dropout: float, norm: bool) -> None:
    layer = glu(dropout=dropout, norm=norm)
    (inner,) = layer.layers
    assert isinstance(inner, PerTokenGluLayer)
    inner.gate = OfItsOwn(num_tokens=TOKENS, dim=DIM, inner_dim=9)
    x = input_of(layer)
    found = lowered_results(layer, x)
    assert calls == ["gate"]
    require_as_exact(found, plain_results(layer, x), exact_results(layer, x))


class Adapted(PerTokenLinear):
    """A map with a low-rank delta that is not zero."""

    def __init__(self, plain: PerTokenLinear, rank: int) -> None:
        nn.Module.__init__(self)
        self.weight, self.bias, self.out_dims = plain.weight, plain.bias, plain.out_dims
        tokens, in_dim, out_dim = plain.weight.shape
        self.down = nn.Parameter(torch.randn(tokens, in_dim, rank))
        self.up = nn.Parameter(torch.randn(tokens, rank, out_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        calls.append("adapted")
        delta = torch.einsum("bti,tik,tko->bto", tokens, self.down, self.up)
        return super().forward(tokens) + delta


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("place", ["layers.0.linear", "layers.1.linear", "out"])
def test_an_adapter_put_in_after_lowering_learns_with_its_own_forward(place: str) -> None:
    layer = mlp(dropout=0.2)
    lowering, x = Lowering(layer), input_of(layer)
    lowering.current()(x)
    parent, _, name = place.rpartition(".")
    plain = layer.get_submodule(place)
    assert isinstance(plain, PerTokenLinear)
    plain.requires_grad_(False)
    setattr(layer.get_submodule(parent), name, Adapted(plain, rank=2))
    drawing(layer)
    lowering.random_bytes.restart(SEED)
    found, expected = lowering.current()(x), layer(x)
    assert calls == ["adapted", "adapted"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    learnt = [parameter for parameter in layer.parameters() if parameter.requires_grad]
    gradients = zip(torch.autograd.grad(found.sum(), learnt), torch.autograd.grad(expected.sum(), learnt), strict=True)
    for mine, theirs in gradients:
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
    assert len(learnt) == 6  # two maps that are not adapted, with their biases, and the delta


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("kind", [PerTokenMlpLayer, PerTokenGluLayer, ProjectionLayer])
def test_a_hidden_width_of_ones_own_is_called_whole(kind: type[nn.Module]) -> None:
    made: dict[type[nn.Module], Callable[[], nn.Module]] = {
        PerTokenMlpLayer: mlp,
        PerTokenGluLayer: glu,
        ProjectionLayer: projection,
    }
    layer = made[kind]()
    inner = layer.get_submodule("layers.0")
    assert type(inner) is kind
    inner.__class__ = plus_100(kind)
    x = input_of(layer)
    found = lowered_results(layer, x)
    assert calls == [kind.__name__]
    require_as_exact(found, plain_results(layer, x), exact_results(layer, x))
