"""Layers changed before they were lowered or after: the plain layer's answer or a refusal, never a wrong number.

Each change is made to a network in place; then a lowering made before or after it is held against the plain one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from tests.execution.comparing import SEED, drawing, results
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from rankelastor.execution.lowering import Lowering
from rankelastor.nn.block import Block
from rankelastor.nn.dropout import Dropout, PerTokenDropout
from rankelastor.nn.ffn.gate import PublishedGate
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.head import MlpHead
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm
from rankelastor.nn.projection import Projection
from rankelastor.nn.tokenizer.split import SplitTokenizer

TOKENS, DIM = 2, 4
pytestmark = pytest.mark.usefixtures("unchecked_shapes")
with_kernels = pytest.mark.usefixtures("needs_kernels")
both_ways = pytest.mark.usefixtures("_with_and_without_kernels")


def network() -> nn.Sequential:
    """Every kind of layer that has kernels: embeddings (batch, field, dim) -> a logit; no parameter is zero."""
    torch.manual_seed(1)
    sizes: dict[str, Any] = {"num_tokens": TOKENS, "token_dim": DIM}
    made = nn.Sequential(
        SplitTokenizer(
            num_fields=6, embedding_dim=2, **sizes, projection=partial(Projection, hidden_dims=[9], dropout=0.2)
        ),
        Block(mixing=FullMixing(**sizes), ffn=PerTokenGlu(**sizes, hidden_dims=[6], dropout=0.2), token_dim=DIM),
        Block(mixing=SplitMixing(**sizes), ffn=PerTokenMlp(**sizes, hidden_dims=[8], dropout=0.2), token_dim=DIM),
        Block(mixing=SplitMixing(**sizes), ffn=PublishedGate(num_tokens=TOKENS, dim=DIM, inner_dim=5), token_dim=DIM),
        Block(mixing=nn.Identity(), ffn=PerTokenMlp(**sizes, hidden_dims=[8], norm=True), token_dim=DIM),
        MlpHead(**sizes),
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.4)
    return made


BUILT = network()
INPUTS = {
    "embeddings": torch.randn(20, 6, 2, generator=torch.Generator().manual_seed(2)),
    "tokens": torch.randn(20, TOKENS, DIM, generator=torch.Generator().manual_seed(3)),
}
INPUT = INPUTS["embeddings"]

TOKENIZER, GLU, MLP, NORMED_MLP = "0.mlp", "1.pffn.ffn", "2.pffn.ffn", "4.pffn.ffn"
LINEARS = [f"{TOKENIZER}.layers.0.linear", f"{TOKENIZER}.out", "1.mixing.linear", "5.hidden", "5.out"]
MAPS = [
    f"{GLU}.layers.0.gate.lift",
    f"{GLU}.layers.0.gate.reduce",
    f"{GLU}.layers.0.widen",
    f"{GLU}.out",
    f"{MLP}.layers.0.linear",
    f"{MLP}.out",
    "3.pffn.ffn.lift",
    "3.pffn.ffn.reduce",
    f"{NORMED_MLP}.layers.0.linear",
]
NORMS = ["0.norm", f"{TOKENIZER}.layers.0.norm", "1.mixing.norm", "1.norm"]
TOKEN_NORMS = [f"{GLU}.layers.0.norm", f"{NORMED_MLP}.layers.0.norm"]
LAYER_NORMS = ["2.mixing.norm"]
DROPOUTS = [f"{TOKENIZER}.layers.0.dropout"]
TOKEN_DROPOUTS = [f"{GLU}.layers.0.dropout", f"{MLP}.layers.0.dropout"]
GATES = [f"{GLU}.layers.0.gate", "3.pffn.ffn"]
ACTIVATIONS = [f"{TOKENIZER}.layers.0.activation", f"{MLP}.layers.0.activation", f"{NORMED_MLP}.layers.0.activation"]
WHOLE = ["0", "1", "1.mixing", "1.pffn", GLU, f"{GLU}.layers.0", "2.mixing", MLP, f"{MLP}.layers.0", TOKENIZER, "5"]
PLACES = [*LINEARS, *MAPS, *NORMS, *TOKEN_NORMS, *LAYER_NORMS, *DROPOUTS, *TOKEN_DROPOUTS, *GATES, *ACTIVATIONS, *WHOLE]


@dataclass(frozen=True)
class Raised:
    """A network that refuses its input."""

    error: type[Exception]


def outcome(compute: Callable[[Tensor], Tensor], model: nn.Module) -> list[Tensor] | Raised:
    """The output and all gradients, or that there are none."""
    takes_embeddings = isinstance(model, SplitTokenizer | nn.Sequential)
    try:
        x = INPUTS["embeddings" if takes_embeddings else "tokens"].clone()
        return results(compute, list(model.parameters()), x, None)
    except Exception as error:  # noqa: BLE001 - whatever the plain network raises, the lowered one may
        return Raised(type(error))


def require_right_or_refused(lowering: Lowering, model: nn.Module) -> None:
    """Assert that the lowering gives what the plain network gives, or raises where the plain network raises."""
    drawing(model)
    expected = outcome(model, model)
    lowering.random_bytes.restart(SEED)
    try:
        compute = lowering.current()
    except Exception as error:  # noqa: BLE001 - as above
        found: list[Tensor] | Raised = Raised(type(error))
    else:
        found = outcome(compute, model)
    if isinstance(expected, Raised):
        assert isinstance(found, Raised), f"the plain network raises {expected.error}"
        return
    assert not isinstance(found, Raised), f"the plain network has an answer, the lowering raises {found}"
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        torch.testing.assert_close(
            mine, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()) + 1e-6, equal_nan=True
        )


def replace(model: nn.Module, place: str, layer: nn.Module) -> None:
    """Put a layer in the place of another."""
    parent, _, name = place.rpartition(".")
    setattr(model.get_submodule(parent), name, layer)


def copied(place: str = "") -> nn.Sequential:
    """A copy of the network; of the part that holds the place alone, if one is given, with the others as they are."""
    if not place:
        return copy.deepcopy(BUILT)
    model, index = nn.Sequential(*BUILT), int(place.split(".", maxsplit=1)[0])
    model[index] = copy.deepcopy(BUILT[index])
    return model


def part_at(model: nn.Module, place: str) -> nn.Module:
    """The tokenizer, block or head that holds the place: what is lowered, so that each test is quick."""
    return model.get_submodule(place.split(".", maxsplit=1)[0]) if place else model


def check_before_and_after(change: Callable[[nn.Module], object], place: str = "") -> None:
    """Hold a lowering made and used before the change, and one made after it, against the plain network.

    Args:
        change: gets a whole network, and changes it in place.
        place: where; the part that holds it is looked at, or the whole network if none is given.
    """
    used, changed = copied(place), copied(place)
    before = Lowering(part_at(used, place))
    outcome(before.current(), part_at(used, place))
    change(used)
    require_right_or_refused(before, part_at(used, place))
    change(changed)
    require_right_or_refused(Lowering(part_at(changed, place)), part_at(changed, place))


@both_ways
def test_the_network_is_lowered_and_right() -> None:
    model = copied()
    assert Lowering(model).is_lowered
    require_right_or_refused(Lowering(model), model)


# Parameters ---------------------------------------------------------------------------------------------------------

PARAMETERS = sorted(name for name, _ in BUILT.named_parameters())


def set_parameter(model: nn.Module, name: str, value: Tensor | None) -> None:
    place, _, own = name.rpartition(".")
    setattr(model.get_submodule(place), own, None if value is None else nn.Parameter(value))


RESIZED: dict[str, Callable[[Tensor], Tensor]] = {
    "swapped": lambda value: torch.linspace(-1, 1, value.numel()).view(value.shape),
    "shorter": lambda value: value[..., : max(1, value.shape[-1] // 2)].clone(),
    "of one number": lambda value: torch.full((1,) * value.dim(), 0.5),
    "one number too few": lambda value: value[..., :-1].clone(),
    "one number more": lambda value: torch.cat([value, value[..., :1]], dim=-1),
    "fewer in front": lambda value: value[:1].clone(),
    "an axis less": lambda value: value[0].clone(),
    "an axis more": lambda value: value.unsqueeze(0).clone(),
    "an axis behind": lambda value: value.unsqueeze(-1).clone(),
    "turned": lambda value: value.transpose(0, -1).contiguous(),
    "flat": lambda value: value.flatten().clone(),
    "empty": lambda value: value[..., :0].clone(),
    "with gaps": lambda value: torch.stack([value, torch.zeros_like(value)], dim=-1)[..., 0],
    "in double": lambda value: value.double(),
    "in half": lambda value: value.bfloat16(),
    "on another device": lambda value: value.to("meta"),
}


@with_kernels
@pytest.mark.parametrize("change", RESIZED)
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_replaced(name: str, change: str) -> None:
    def replaced(model: nn.Module) -> None:
        set_parameter(model, name, RESIZED[change](model.get_parameter(name).detach()))

    check_before_and_after(replaced, name)


@with_kernels
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_replaced_by_none(name: str) -> None:
    check_before_and_after(lambda model: set_parameter(model, name, None), name)


@with_kernels
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_whose_data_was_replaced_in_place(name: str) -> None:
    def shorter(model: nn.Module) -> None:
        parameter = model.get_parameter(name)
        parameter.data = parameter.data[..., : max(1, parameter.shape[-1] // 2)].clone()

    check_before_and_after(shorter, name)


@both_ways
@pytest.mark.parametrize("names", [PARAMETERS, PARAMETERS[::2], PARAMETERS[1::2]], ids=["all", "even", "odd"])
def test_frozen_parameters_and_buffers_in_their_place(names: list[str]) -> None:
    def frozen(model: nn.Module) -> None:
        for name in names:
            model.get_parameter(name).requires_grad_(False)

    check_before_and_after(frozen)


@both_ways
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_precision_of_the_whole_network_changed(dtype: torch.dtype) -> None:
    model = copied()
    lowering = Lowering(model)
    lowering.current()(INPUT)
    model.to(dtype)
    x = INPUT.to(dtype)
    drawing(model)
    lowering.random_bytes.restart(SEED)
    tolerance = 1e-9 if dtype == torch.float64 else 0.05
    torch.testing.assert_close(lowering.current()(x), model(x), rtol=tolerance, atol=tolerance)
    assert lowering.current()(x).dtype == dtype


@both_ways
def test_a_gain_with_the_batch_as_an_axis_of_its_own_is_no_gain_of_tokens() -> None:
    norm, x = PerTokenRMSNorm(num_tokens=3, dim=4), torch.randn(1, 3, 4)
    lowering = Lowering(norm)
    norm.weight = nn.Parameter(torch.arange(12.0).view(1, 3, 4))
    torch.testing.assert_close(lowering.current()(x), norm(x))


# Layers replaced ----------------------------------------------------------------------------------------------------

Swap = Callable[[Any], nn.Module]
SWAPPED: dict[str, tuple[list[str], Swap]] = {
    "no bias": (LINEARS, lambda old: nn.Linear(old.in_features, old.out_features, bias=False)),
    "another width": (LINEARS, lambda old: nn.Linear(old.in_features, old.out_features + 1)),
    "another input": (LINEARS, lambda old: nn.Linear(old.in_features + 1, old.out_features)),
    "another inner width": (
        MAPS,
        lambda old: PerTokenLinear(num_tokens=TOKENS, in_dim=old.weight.shape[1] - 1, out_dims=old.out_dims),
    ),
    "weights of one token": (
        MAPS,
        lambda old: PerTokenLinear(num_tokens=1, in_dim=old.weight.shape[1], out_dims=old.out_dims),
    ),
    "maps of other widths": (
        GATES,
        lambda old: with_other_split(PublishedGate(num_tokens=TOKENS, dim=DIM, inner_dim=old.reduce.weight.shape[1])),
    ),
    "no norm": ([*NORMS, *TOKEN_NORMS, *LAYER_NORMS], lambda _old: nn.Identity()),
    "another epsilon": (NORMS, lambda old: nn.RMSNorm(old.weight.shape, eps=1.0)),
    "LayerNorm": (NORMS, lambda old: nn.LayerNorm(old.weight.shape)),
    "a norm of another width": (NORMS, lambda _old: RMSNorm(3)),
    "a norm of width one": (NORMS, lambda _old: RMSNorm(1)),
    "RMSNorm": ([*LAYER_NORMS, *TOKEN_NORMS], lambda old: RMSNorm(old.weight.shape[-1])),
    "LayerNorm without bias": (LAYER_NORMS, lambda _old: nn.LayerNorm(DIM, bias=False)),
    "LayerNorm without gain": (LAYER_NORMS, lambda _old: nn.LayerNorm(DIM, elementwise_affine=False)),
    "LayerNorm of another epsilon": (LAYER_NORMS, lambda _old: nn.LayerNorm(DIM, eps=1.0)),
    "LayerNorm over tokens": (LAYER_NORMS, lambda _old: nn.LayerNorm((TOKENS, DIM))),
    "all dropped": (DROPOUTS, lambda _old: Dropout(1.0)),
    "all of tokens dropped": (TOKEN_DROPOUTS, lambda _old: PerTokenDropout(1.0)),
    "dropout in the order of rows": (TOKEN_DROPOUTS, lambda _old: Dropout(0.5)),
    "another activation": (ACTIVATIONS, lambda _old: nn.Tanh()),
    "another GELU": (ACTIVATIONS, lambda _old: nn.GELU(approximate="tanh")),
    "another ReLU": (ACTIVATIONS, lambda _old: nn.LeakyReLU(0.2)),
    "ReLU in place": (ACTIVATIONS, lambda _old: nn.ReLU(inplace=True)),
    "no activation": (ACTIVATIONS, lambda _old: nn.Identity()),
    "nothing": (WHOLE, lambda _old: nn.Identity()),
}


def with_other_split(gate: PublishedGate) -> PublishedGate:
    inner = gate.lift.out_dims[0]
    gate.lift.out_dims = (inner, inner, inner + 1, DIM - 1)
    return gate


def whole_if_outer(place: str) -> str:
    """No part of the network where the part itself is replaced."""
    return place if "." in place else ""


@with_kernels
@pytest.mark.parametrize(
    ("change", "place"), [(name, place) for name, (places, _) in SWAPPED.items() for place in places]
)
def test_layers_replaced_by_others(change: str, place: str) -> None:
    torch.manual_seed(4)
    made = SWAPPED[change][1](BUILT.get_submodule(place))
    check_before_and_after(lambda model: replace(model, place, copy.deepcopy(made)), whole_if_outer(place))


@both_ways
@pytest.mark.parametrize("place", [*LINEARS, *MAPS, *NORMS, *TOKEN_NORMS, *LAYER_NORMS])
def test_layers_replaced_by_another_of_the_same_type(place: str) -> None:
    def other_weights(model: nn.Module) -> None:
        layer = copy.deepcopy(model.get_submodule(place))
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.mul_(2)
        replace(model, place, layer)

    check_before_and_after(other_weights, place)


@both_ways
def test_a_layer_removed_from_and_added_to_a_list() -> None:
    def removed(model: nn.Module) -> None:
        layers = model.get_submodule(f"{MLP}.layers")
        assert isinstance(layers, nn.ModuleList)
        (only,) = layers
        layers.append(nn.Identity())
        layers.insert(0, nn.Tanh())
        assert only in layers

    check_before_and_after(removed)


@both_ways
def test_blocks_in_another_order() -> None:
    def turned(model: nn.Module) -> None:
        assert isinstance(model, nn.Sequential)
        model[1], model[2] = model[2], model[1]

    check_before_and_after(turned)


# Layers with a behaviour of their own --------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("place", PLACES)
def test_a_forward_of_the_instances_own(place: str) -> None:
    def own_forward(model: nn.Module) -> None:
        layer = model.get_submodule(place)
        plain = layer.forward
        layer.forward = lambda *inputs: plain(*inputs) + 0.25

    check_before_and_after(own_forward, place)


class Doubled(nn.Module):
    """A parametrization."""

    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


@with_kernels
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parametrization(name: str) -> None:
    place, _, own = name.rpartition(".")
    check_before_and_after(
        lambda model: parametrize.register_parametrization(model.get_submodule(place), own, Doubled()),
        name,
    )


@both_ways
def test_a_parametrization_removed_again() -> None:
    def changed_and_back(model: nn.Module) -> None:
        for place in (LINEARS[0], MAPS[0]):
            layer = model.get_submodule(place)
            parametrize.register_parametrization(layer, "weight", Doubled())
            parametrize.remove_parametrizations(layer, "weight")

    check_before_and_after(changed_and_back)


@with_kernels
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("place", [*LINEARS, *MAPS, *NORMS, *TOKEN_NORMS, *LAYER_NORMS])
@pytest.mark.parametrize("form", ["hook", "parametrization"])
def test_weight_norm(place: str, form: str) -> None:
    def normed(model: nn.Module) -> None:
        layer = model.get_submodule(place)
        (nn.utils.weight_norm if form == "hook" else parametrizations.weight_norm)(layer)

    check_before_and_after(normed, place)


Register = Callable[[nn.Module], object]


def plus_one_behind(_layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return output + 1


def doubled(gradients: Any) -> tuple[Tensor | None, ...]:
    return tuple(None if gradient is None else 2 * gradient for gradient in gradients)


HOOKS: dict[str, Register] = {
    "forward": lambda layer: layer.register_forward_hook(plus_one_behind),
    "forward, with kwargs": lambda layer: layer.register_forward_hook(
        lambda _layer, _inputs, _named, output: output + 1, with_kwargs=True
    ),
    "forward, always": lambda layer: layer.register_forward_hook(plus_one_behind, always_call=True),
    "before": lambda layer: layer.register_forward_pre_hook(lambda _layer, inputs: inputs[0] + 1),
    "before, with kwargs": lambda layer: layer.register_forward_pre_hook(
        lambda _layer, inputs, named: ((inputs[0] + 1,), named), with_kwargs=True
    ),
    "backward": lambda layer: layer.register_full_backward_hook(
        lambda _layer, gradients, _upstream: doubled(gradients)
    ),
    "before backward": lambda layer: layer.register_full_backward_pre_hook(lambda _layer, upstream: doubled(upstream)),
}


@with_kernels
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("place", PLACES)
def test_hooks_that_change_what_passes(place: str, hook: str) -> None:
    check_before_and_after(lambda model: HOOKS[hook](model.get_submodule(place)), place)


@both_ways
@pytest.mark.parametrize("place", PLACES)
def test_hooks_see_the_layer_itself_and_are_forgotten_when_removed(place: str) -> None:
    model = copied()
    lowering, seen = Lowering(model), []
    operation = lowering.current()
    layer = model.get_submodule(place)
    handle = layer.register_forward_hook(lambda module, _inputs, output: seen.append((module, output.shape)))
    lowering.current()(INPUT)
    ((module, shape),) = seen
    assert module is layer
    seen.clear()
    model(INPUT)
    assert seen == [(layer, shape)]
    handle.remove()
    seen.clear()
    require_right_or_refused(lowering, model)
    assert seen == []
    assert type(lowering.current()) is type(operation)


GLOBAL_HOOKS: dict[str, Callable[[], object]] = {
    "forward": lambda: nn.modules.module.register_module_forward_hook(
        lambda _layer, _inputs, output: output + 1 if isinstance(output, Tensor) else None  # type: ignore[arg-type]
    ),
    "before": lambda: nn.modules.module.register_module_forward_pre_hook(
        lambda _layer, inputs: tuple(each + 1 if isinstance(each, Tensor) else each for each in inputs)  # type: ignore[arg-type]
    ),
    "backward": lambda: nn.modules.module.register_module_full_backward_hook(lambda *_: None),
}


@both_ways
@pytest.mark.parametrize("hook", GLOBAL_HOOKS)
def test_global_hooks(hook: str) -> None:
    model = copied()
    before = Lowering(model)
    before.current()(INPUT)
    handle = GLOBAL_HOOKS[hook]()
    try:
        require_right_or_refused(before, model)
        require_right_or_refused(Lowering(model), model)
    finally:
        handle.remove()  # type: ignore[attr-defined]
    require_right_or_refused(before, model)
    assert before.is_lowered


# Layers shared by several parents ------------------------------------------------------------------------------------

SHARED = [
    (MAPS[4], f"{NORMED_MLP}.layers.0.linear"),
    (f"{MLP}.layers.0", f"{MLP}.layers.0"),
    (f"{NORMED_MLP}.layers.0.norm", f"{NORMED_MLP}.layers.0.norm"),
    ("1.norm", "2.norm"),
    ("2.mixing", "3.mixing"),
    (MLP, NORMED_MLP),
    ("1", "3"),
    (f"{MLP}.layers.0.dropout", f"{GLU}.layers.0.dropout"),
]


@both_ways
@pytest.mark.parametrize(("source", "target"), SHARED)
def test_layers_shared_by_two_parents(source: str, target: str) -> None:
    check_before_and_after(lambda model: replace(model, target, model.get_submodule(source)))


@both_ways
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_parameters_shared_by_two_layers(name: str) -> None:
    def shared(model: nn.Module) -> None:
        first, second = (model.get_submodule(place) for place in (MAPS[4], MAPS[8]))
        setattr(second, name, first.get_parameter(name))

    check_before_and_after(shared)


@both_ways
def test_a_bias_of_another_length_never_reaches_a_kernel() -> None:
    model = copied().eval()  # dropout draws nothing
    lowering = Lowering(model)
    for name, former in list(model.named_parameters()):
        owner, _, last = name.rpartition(".")
        for values in (torch.full((1,), 0.5), former.detach()[..., :2]):  # PyTorch broadcasts one value alone
            if last == "bias" and former.shape[-1] > 2:
                setattr(model.get_submodule(owner), last, nn.Parameter(values))
                try:
                    expected = model(INPUT)
                except RuntimeError:
                    with pytest.raises(RuntimeError):
                        lowering.current()(INPUT)
                else:
                    torch.testing.assert_close(lowering.current()(INPUT), expected, rtol=1e-4, atol=1e-5)
                setattr(model.get_submodule(owner), last, former)


@both_ways
def test_a_network_that_is_its_own_layer_twice_counts_its_gradients_twice() -> None:
    mixing = FullMixing(num_tokens=TOKENS, token_dim=DIM)
    model = nn.Sequential(mixing, mixing)
    x = torch.randn(70, TOKENS, DIM)
    ours, plain = (
        torch.autograd.grad(each(x).sum(), list(model.parameters())) for each in (Lowering(model).current(), model)
    )
    for mine, theirs in zip(ours, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


# Modes and plain attributes -------------------------------------------------------------------------------------------


@both_ways
def test_evaluation_and_training_reach_a_lowering_made_before() -> None:
    model = copied()
    lowering = Lowering(model)
    operation = lowering.current()
    first = operation(INPUT)
    assert not torch.equal(first, lowering.current()(INPUT))
    model.eval()
    assert torch.equal(lowering.current()(INPUT), lowering.current()(INPUT))
    torch.testing.assert_close(lowering.current()(INPUT), model(INPUT), rtol=1e-4, atol=1e-4)
    model.train()
    assert not torch.equal(lowering.current()(INPUT), lowering.current()(INPUT))
    assert lowering.current() is operation


@both_ways
@pytest.mark.parametrize("place", [*DROPOUTS, *TOKEN_DROPOUTS])
@pytest.mark.parametrize("rate", [0.0, 0.7, 1.0])
def test_a_rate_changed_later_reaches_a_lowering_made_before(place: str, rate: float) -> None:
    check_before_and_after(lambda model: setattr(model.get_submodule(place), "p", rate), place)


@both_ways
@pytest.mark.parametrize("place", [*WHOLE, *DROPOUTS, *TOKEN_DROPOUTS])
def test_one_layer_in_evaluation_alone(place: str) -> None:
    check_before_and_after(lambda model: model.get_submodule(place).eval(), place)


class Scaled(nn.Module):
    """A layer with a plain attribute that its forward reads, around one that has kernels."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.scale = 1.0

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.inner(x)
        return self.scale * inner


@both_ways
def test_plain_attributes_changed_later_reach_a_lowering_made_before() -> None:
    model = Scaled(RMSNorm(4))
    lowering, x = Lowering(model), torch.randn(3, 4)
    operation = lowering.current()
    model.scale = 3.0
    torch.testing.assert_close(lowering.current()(x), 3 * model.inner(x))
    assert lowering.current() is operation


@both_ways
def test_buffers_replaced_later_reach_a_lowering_made_before() -> None:
    model = Scaled(RMSNorm(4))
    del model.scale
    model.register_buffer("scale", torch.tensor(1.0))
    lowering, x = Lowering(model), torch.randn(3, 4)
    lowering.current()(x)
    model.scale = torch.tensor(5.0)  # type: ignore[assignment]
    torch.testing.assert_close(lowering.current()(x), 5 * model.inner(x))


@both_ways
def test_a_layer_that_reads_parameters_of_its_child_finds_them() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = RMSNorm(4)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.norm(x) + self.norm.weight + len(self.norm.state_dict())
            return out

    model, x = Reading(), torch.randn(3, 4)
    torch.testing.assert_close(Lowering(model).current()(x), model(x))
