"""A network is lowered once, anew where its modules changed, and nothing is put into it."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.execution.comparing import SEED, drawing
from tests.training.test_step import batch, fresh_ranker
from torch import Tensor, nn

from rankelastor.execution.lowering import Lowering, has_kernels
from rankelastor.execution.rules import Context, Operation
from rankelastor.models.ranker import Ranker
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection
from rankelastor.nn.random_bytes import fresh_bytes

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))


def projection(dropout: float = 0.2) -> Projection:
    return Projection(in_dim=5, hidden_dims=[8], out_dim=4, dropout=dropout)


@pytest.mark.usefixtures("_with_and_without_kernels")
def test_a_whole_ranker_has_the_plain_answer_and_the_plain_gradients() -> None:
    ranker: Ranker = fresh_ranker()
    _, stream = drawing(ranker)
    lowered = Lowering(ranker.network)
    lowered.random_bytes.restart(SEED)
    embedded = ranker.embedding(batch(0))
    found, expected = lowered.current()(embedded), ranker.network(embedded)
    torch.testing.assert_close(found, expected)
    parameters = list(ranker.network.parameters())
    for mine, theirs in zip(
        torch.autograd.grad(found.sum(), parameters, retain_graph=True),
        torch.autograd.grad(expected.sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    assert torch.equal(lowered.random_bytes(8), stream(8))


def test_nothing_is_put_into_the_network() -> None:
    model = nn.Sequential(projection(), RMSNorm(4))
    before = {id(module): dict(module.__dict__) for module in model.modules()}
    names = list(model.state_dict())
    lowered = Lowering(model)
    lowered.current()(X).sum().backward()
    assert list(model.state_dict()) == names
    assert {id(module): dict(module.__dict__) for module in model.modules()} == before
    assert all(layer.random_bytes is fresh_bytes for layer in model.modules() if isinstance(layer, Dropout))


def test_the_parameters_are_the_networks_own() -> None:
    model = nn.Sequential(projection(dropout=0.0), RMSNorm(4))
    lowered = Lowering(model)
    lowered.current()(X).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    torch.testing.assert_close(lowered.current()(X), model(X))


def test_the_operation_stays_the_same_while_nothing_changes() -> None:
    model = nn.Sequential(projection(), RMSNorm(4))
    lowered = Lowering(model)
    operation = lowered.current()
    assert lowered.current() is operation
    operation(X).sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    for change in (model.eval, model.train, lambda: model.requires_grad_(False), model.double):
        change()
        assert lowered.current() is operation
    model[1].weight = nn.Parameter(torch.ones(4))
    dropout = model.get_submodule("0.layers.0.dropout")
    assert isinstance(dropout, Dropout)
    dropout.p = 0.7
    model.note = "anything"  # type: ignore[assignment]
    assert lowered.current() is operation


CHANGES: dict[str, Callable[[nn.Sequential], object]] = {
    "a layer replaced": lambda model: model.__setitem__(1, RMSNorm(4)),
    "a layer deep inside replaced": lambda model: setattr(model.get_submodule("0.layers.0"), "activation", nn.Tanh()),
    "a layer added": lambda model: model.append(nn.Tanh()),
    "a layer removed": lambda model: model.__delitem__(1),
    "another class": lambda model: setattr(model[1], "__class__", type("Other", (RMSNorm,), {})),
    "a forward of its own": lambda model: setattr(model[1], "forward", lambda x: 2 * x),
    "a hook": lambda model: model[1].register_forward_hook(lambda *_: None),
    "a hook before": lambda model: model[0].register_forward_pre_hook(lambda *_: None),
    "a hook of the backward pass": lambda model: model[1].register_full_backward_hook(lambda *_: None),
    "a hook deep inside": lambda model: model.get_submodule("0.layers.0.dropout").register_forward_hook(
        lambda *_: None
    ),
    "a parametrization": lambda model: nn.utils.parametrize.register_parametrization(model[1], "weight", nn.Identity()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_network_is_lowered_anew_and_then_stays(change: str) -> None:
    model = nn.Sequential(projection(dropout=0.0), RMSNorm(4))
    lowered = Lowering(model)
    before = lowered.current()
    CHANGES[change](model)
    after = lowered.current()
    assert after is not before
    assert lowered.current() is after
    torch.testing.assert_close(after(X), model(X))


def test_how_often_a_network_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    plain = Context.lower

    def counted(self: Context, layer: nn.Module) -> Operation:
        times.append(1) if layer is model else None
        return plain(self, layer)

    monkeypatch.setattr(Context, "lower", counted)
    model = nn.Sequential(projection(), RMSNorm(4))
    lowered = Lowering(model)
    for _ in range(3):
        lowered.current()(X)
    model.append(nn.Tanh())
    for _ in range(3):
        lowered.current()(X)
    assert len(times) == 2


def test_two_lowerings_seeded_alike_draw_alike_and_apart_from_the_global_generator() -> None:
    model = projection(dropout=0.5)
    first, second = Lowering(model), Lowering(model)
    for each in (first, second):
        each.random_bytes.restart(7)
    state = torch.get_rng_state()
    assert torch.equal(first.current()(X), second.current()(X))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_shared_layer_is_lowered_once() -> None:
    norm = RMSNorm(5)
    model = nn.Sequential(norm, nn.Sequential(norm, norm))
    lowered = Lowering(model)
    torch.testing.assert_close(lowered.current()(X), model(X))
    assert lowered._lowered.context.num_operations <= 1


@pytest.mark.usefixtures("needs_kernels")
def test_watched_layers_are_called_for_themselves_with_the_same_result() -> None:
    model, seen = projection(), []
    lowered = Lowering(model)
    lowered.random_bytes.restart(3)
    alone = lowered.current()(X)
    model.layers[0].get_submodule("norm").register_forward_hook(lambda *given: seen.append(given[2]))
    lowered.random_bytes.restart(3)
    watched = lowered.current()(X)
    assert len(seen) == 1
    assert torch.allclose(alone, watched, atol=1e-6)


def test_hooks_on_the_way_back_are_called() -> None:
    model, calls = projection(), []
    model.layers[0].get_submodule("linear").register_full_backward_pre_hook(lambda *_: calls.append(1))
    Lowering(model).current()(X.clone().requires_grad_()).sum().backward()
    assert calls == [1]


def test_a_hook_hears_of_a_failure_as_pytorch_tells_it() -> None:
    model, heard = projection(), []
    model.register_forward_hook(lambda *_: heard.append(1), always_call=True)
    with pytest.raises(Exception, match=r"shape|size|Type-check"):
        Lowering(model).current()(torch.randn(6, 9))
    assert heard == [1]


def test_a_lowered_network_can_be_copied_and_each_copy_lowered() -> None:
    model = PerTokenMlp(num_tokens=2, token_dim=4, hidden_dims=[8], dropout=0.3)
    Lowering(model).current()(torch.randn(3, 2, 4))
    copied = copy.deepcopy(model).eval()
    tokens = torch.randn(3, 2, 4)
    torch.testing.assert_close(Lowering(copied).current()(tokens), model.eval()(tokens))


@pytest.mark.usefixtures("_with_and_without_kernels")
def test_a_lowering_can_be_copied() -> None:
    lowered = copy.deepcopy(Lowering(projection(dropout=0)))
    assert lowered.current()(X).shape == (6, 4)


class CallsByKeyword(nn.Module):
    """Call each kind of child with keyword arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = RMSNorm(5)
        self.projection = projection()
        self.dropout = Dropout(0.2)

    def forward(self, x: Tensor, *, scale: float = 1.0) -> Tensor:
        dropped: Tensor = self.dropout(x=self.projection(x=self.norm(x=x)))
        return dropped * scale


class CallsCaller(nn.Module):
    """Call a container with a keyword that no operation has."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = CallsByKeyword()

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.inner(x, scale=2.0)
        return scaled


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("changed", ["nothing", "hooks", "own forward"])
def test_children_may_be_called_by_keyword(changed: str) -> None:
    model, calls = CallsCaller(), []
    if changed == "hooks":
        for module in model.modules():
            module.register_forward_hook(lambda *_: calls.append(1))
    elif changed == "own forward":
        model.inner.forward = model.inner.forward  # type: ignore[method-assign]
    _, stream = drawing(model)
    lowered = Lowering(model)
    lowered.random_bytes.restart(SEED)
    found = lowered.current()(X)
    stream.restart(SEED)
    torch.testing.assert_close(found, model(X))
    assert bool(calls) is (changed == "hooks")


class Counts(PerTokenMlp):
    """Count the calls and keep the last output."""

    calls = 0

    def forward(self, tokens: Tensor) -> Tensor:
        self.calls += 1
        self.last = super().forward(tokens)
        return self.last


@pytest.mark.usefixtures("_with_and_without_kernels")
def test_attributes_that_a_forward_sets_are_set_on_the_layer() -> None:
    model = nn.Sequential(Counts(num_tokens=2, token_dim=4, hidden_dims=[8]))
    lowered, tokens = Lowering(model), torch.randn(3, 2, 4)
    outputs = [lowered.current()(tokens) for _ in range(3)]
    assert model[0].calls == 3
    assert model[0].last is outputs[-1]


@pytest.mark.usefixtures("_with_and_without_kernels")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_forward_patched_into_a_class_is_run(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(RMSNorm(5))
    lowered = Lowering(model) if when == "after" else None
    monkeypatch.setattr(RMSNorm, "forward", lambda _self, x: x + 1)
    lowered = lowered or Lowering(model)
    assert torch.equal(lowered.current()(X), X + 1)


def test_only_kernels_that_run_count_as_kernels() -> None:
    assert not Lowering(Projection(in_dim=5, hidden_dims=[], out_dim=4)).uses_kernels
    assert not Lowering(PerTokenMlp(num_tokens=2, token_dim=4, hidden_dims=[8], activation="tanh")).uses_kernels


def test_a_network_without_registered_layers_is_left_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.Tanh())
    lowered = Lowering(model)
    assert not lowered.is_lowered
    assert not lowered.uses_kernels
    assert lowered.current() is model


@pytest.mark.usefixtures("without_kernels")
def test_without_kernels_dropout_alone_is_lowered() -> None:
    assert not has_kernels()
    assert not Lowering(nn.Sequential(RMSNorm(5), nn.Linear(5, 3))).is_lowered
    lowered = Lowering(projection())
    assert lowered.is_lowered
    assert not lowered.uses_kernels


@pytest.mark.usefixtures("needs_kernels")
def test_with_kernels_a_network_says_that_it_uses_them() -> None:
    assert has_kernels()
    assert Lowering(projection()).uses_kernels


def test_a_layer_that_fails_leaves_the_dropout_of_others_with_their_own_bytes() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = Dropout(0.5)

        def forward(self, x: Tensor) -> Tensor:
            raise ValueError(f"of our own: {self.dropout(x).shape}")

    model = Failing()
    model.register_full_backward_hook(lambda *_: None)  # runs as it is
    with pytest.raises(ValueError, match="of our own"):
        Lowering(model).current()(X)
    assert model.dropout.random_bytes is fresh_bytes


def test_hooks_that_come_and_go_are_lowered_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    lowered, lower = Lowering(network), Lowering._lower
    x, seen, made = torch.randn(2, 3), list[int](), list[Lowering]()

    def counted(self: Lowering) -> Any:
        made.append(self)
        return lower(self)

    monkeypatch.setattr(Lowering, "_lower", counted)
    for step in range(6):
        handle = network[0].register_forward_hook(lambda *_: seen.append(1)) if step % 2 else None
        assert torch.equal(lowered.current()(x), network(x))
        if handle is not None:
            handle.remove()
    assert (len(made), len(seen)) == (1, 6)


def test_a_module_that_was_replaced_is_not_kept() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    lowered, replaced = Lowering(network), weakref.ref(network[0])
    lowered.current()
    network[0] = nn.Linear(3, 4)
    lowered.current()
    gc.collect()
    assert replaced() is None
