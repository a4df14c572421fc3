"""Rules are registered by exact type, and say themselves where they do not apply."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from rankelastor.execution import rules
from rankelastor.execution.lowering import Lowering
from rankelastor.execution.rules import Context, Operation, lowered_types, lowers, wrap_unlowered
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.random_bytes import RandomBytes, fresh_bytes


class Doubling(nn.Module):
    """A layer of one's own."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Tripling(Doubling):
    """A subclass without a rule."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * x


@pytest.fixture(autouse=True)
def _rules_as_they_were() -> Iterator[None]:
    before = dict(rules._RULES)
    yield
    rules._RULES.clear()
    rules._RULES.update(before)


def context() -> Context:
    return Context(RandomBytes(0))


def test_a_new_rule_is_listed_and_stands_for_layers_of_exactly_its_type() -> None:
    lowers(Doubling, needs_kernels=False)(lambda _layer, _context: lambda x: x + x)
    assert Doubling in lowered_types()
    x = torch.ones(2)
    model = nn.Sequential(Doubling(), Tripling())
    lowered = Lowering(model)
    assert lowered.is_lowered
    assert lowered._lowered.context.num_operations == 1
    assert lowered.current()(x).tolist() == [6.0, 6.0]


def test_a_second_rule_for_a_type_is_our_own_mistake() -> None:
    lowers(Doubling)(lambda _layer, _context: None)
    with pytest.raises(AssertionError, match="Doubling already has a rule"):
        lowers(Doubling)(lambda _layer, _context: None)


def test_a_rule_that_gives_none_leaves_the_layer_as_it_is() -> None:
    lowers(Doubling, needs_kernels=False)(lambda _layer, _context: None)
    layer, made = Doubling(), context()
    assert made.lower(layer) is layer
    assert made.num_operations == 0


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("needs_kernels", [True, False])
def test_rules_that_need_kernels_are_left_out_where_there_are_none(needs_kernels: bool) -> None:
    asked: list[nn.Module] = []

    def rule(layer: Doubling, _context: Context) -> Operation | None:
        asked.append(layer)
        return None

    lowers(Doubling, needs_kernels=needs_kernels)(rule)
    context().lower(Doubling())
    assert len(asked) == (0 if needs_kernels else 1)


def test_a_layer_is_plain_if_it_is_exactly_of_the_type_without_hooks_or_a_forward_of_its_own() -> None:
    made, layer = context(), Doubling()
    assert made.is_plain(layer, Doubling)
    assert not made.is_plain(Tripling(), Doubling)
    assert not made.is_plain(layer, nn.Module)
    handle = layer.register_forward_hook(lambda *_: None)
    assert not made.is_plain(layer, Doubling)
    handle.remove()
    assert made.is_plain(layer, Doubling)
    layer.register_full_backward_hook(lambda *_: None)
    assert not made.is_plain(layer, Doubling)
    own = Doubling()
    own.forward = own.forward  # type: ignore[method-assign]
    assert not made.is_plain(own, Doubling)


def test_a_layer_is_lowered_once_for_all_its_parents() -> None:
    asked: list[nn.Module] = []

    def rule(layer: Doubling, _context: Context) -> Operation | None:
        asked.append(layer)
        return lambda x: x + x

    lowers(Doubling, needs_kernels=False)(rule)
    layer = Doubling()
    made = context()
    assert made.lower(layer) is made.lower(layer)
    made.lower(nn.Sequential(layer, nn.Sequential(layer)))
    assert asked == [layer]


def test_an_operation_in_the_place_of_a_layer_has_the_layers_attributes() -> None:
    lowers(Doubling, needs_kernels=False)(lambda _layer, _context: lambda x: x + x)
    layer = Doubling()
    layer.register_buffer("note", torch.ones(3))
    operation = context().lower(layer)
    assert operation is not layer
    assert operation.note is layer.note  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="nothing"):
        _ = operation.nothing  # type: ignore[attr-defined]


def test_shadows_take_training_and_plain_attributes_from_their_source_again() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout, self.scale = Dropout(0.5), 1.0

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.dropout(x) * self.scale
            return out

    model, made = Outer(), context()
    shadow = made.lower(model)
    assert shadow is not model
    model.eval()
    model.scale = 3.0
    made.take_attributes()
    assert shadow(torch.ones(2)).tolist() == [3.0, 3.0]
    assert not shadow.training  # type: ignore[attr-defined]
    assert model.dropout.random_bytes is fresh_bytes


def test_layers_called_as_they_are_draw_from_the_stream_meanwhile() -> None:
    dropout, stream = Dropout(0.5), RandomBytes(3)
    operation = wrap_unlowered(nn.Sequential(dropout), stream)
    found = operation(torch.ones(64))
    dropout.random_bytes = RandomBytes(3)
    assert torch.equal(found, dropout(torch.ones(64)))


def test_layers_without_dropout_are_called_themselves() -> None:
    layer = nn.Sequential(nn.Linear(2, 3))
    assert wrap_unlowered(layer, RandomBytes(3)) is layer


def test_containers_with_hooks_are_still_read() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([Doubling(), Doubling()])

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    lowers(Doubling, needs_kernels=False)(lambda _layer, _context: lambda x: x + x)
    model = Outer()
    model.layers.register_forward_hook(lambda *_: None)
    assert Lowering(model).current()(torch.ones(1)).item() == 4.0
