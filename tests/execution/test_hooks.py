from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.utils.hooks import RemovableHandle

from rankelastor.execution.hooks import (
    call_with_forward_hooks,
    copy_without_hooks,
    has_forward_hooks,
    has_global_hooks,
    has_hooks,
    has_other_hooks,
    is_compiling,
    observe_outputs,
)


def test_outputs_are_seen_by_name_and_hooks_are_gone_afterwards() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    seen: dict[str, Tensor] = {}
    with observe_outputs({"hidden": model[0], "out": model[1]}, seen.__setitem__):
        out = model(torch.randn(1, 2))
    assert list(seen) == ["hidden", "out"]
    assert seen["out"] is out
    seen.clear()
    model(torch.randn(1, 2))
    assert seen == {}


def test_hooks_are_gone_after_an_error_too() -> None:
    layer = nn.Linear(2, 3)
    with pytest.raises(RuntimeError), observe_outputs({"hidden": layer}, lambda _name, _output: None):
        layer(torch.randn(1, 5))
    assert not layer._forward_hooks


Register = Callable[[nn.Module], RemovableHandle]
PLAIN: dict[str, Register] = {
    "forward": lambda layer: layer.register_forward_hook(lambda *_: None),
    "before forward": lambda layer: layer.register_forward_pre_hook(lambda *_: None),
}
OTHERS: dict[str, Register] = {
    "forward with kwargs": lambda layer: layer.register_forward_hook(lambda *_: None, with_kwargs=True),
    "before forward with kwargs": lambda layer: layer.register_forward_pre_hook(lambda *_: None, with_kwargs=True),
    "forward, always": lambda layer: layer.register_forward_hook(lambda *_: None, always_call=True),
    "backward": lambda layer: layer.register_full_backward_hook(lambda *_: None),
    "before backward": lambda layer: layer.register_full_backward_pre_hook(lambda *_: None),
}
GLOBAL: dict[str, Callable[[], RemovableHandle]] = {
    "forward": lambda: torch_module.register_module_forward_hook(lambda *_: None),
    "before forward": lambda: torch_module.register_module_forward_pre_hook(lambda *_: None),
    "backward": lambda: torch_module.register_module_full_backward_hook(lambda *_: None),
    "before backward": lambda: torch_module.register_module_full_backward_pre_hook(lambda *_: None),
}


@pytest.mark.parametrize("kind", [*PLAIN, *OTHERS])
def test_every_kind_of_hook_is_found_and_gone_when_it_is_removed(kind: str) -> None:
    layer, other = nn.Linear(2, 3), nn.ReLU()
    assert not has_hooks(layer, other)
    handle = {**PLAIN, **OTHERS}[kind](layer)
    assert has_hooks(other, layer)
    assert not has_hooks(other)
    assert has_other_hooks(layer) == (kind in OTHERS)
    assert has_forward_hooks(layer) or kind not in PLAIN
    handle.remove()
    assert not has_hooks(layer, other)


@pytest.mark.parametrize("kind", GLOBAL)
def test_global_hooks_are_hooks_of_every_module(kind: str) -> None:
    assert not has_global_hooks()
    handle = GLOBAL[kind]()
    try:
        assert has_global_hooks()
        assert has_hooks(nn.Linear(2, 3))
    finally:
        handle.remove()
    assert not has_hooks(nn.Linear(2, 3))


def test_a_copy_without_hooks_has_none_of_any_kind_and_leaves_the_original_its_own() -> None:
    layer = nn.Linear(2, 3)
    model = nn.Sequential(layer, nn.ReLU())
    for register in (*PLAIN.values(), *OTHERS.values()):
        register(layer)
        register(model)
    copied = copy_without_hooks(model)
    assert not has_hooks(*copied.modules())
    assert has_hooks(layer)
    weight = copied.get_parameter("0.weight")
    assert torch.equal(weight, layer.weight)
    assert weight is not layer.weight


def test_forward_hooks_are_called_as_pytorch_calls_them() -> None:
    layer = nn.Linear(2, 2)
    events: list[tuple[object, ...]] = []

    def change_input(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        events.append(("before", module, inputs[0].sum().item()))
        return inputs[0] + 1

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        events.append(("look", module, inputs[0].sum().item(), output.sum().item()))

    def double(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return 2 * output

    layer.register_forward_pre_hook(change_input)
    for hook in (look, double, look):
        layer.register_forward_hook(hook)
    x = torch.randn(3, 2)
    expected = layer(x)
    by_pytorch = list(events)
    events.clear()
    assert torch.equal(call_with_forward_hooks(layer, layer.forward, x), expected)
    assert events == by_pytorch


def test_a_pre_hook_may_give_a_tuple_of_inputs() -> None:
    layer = nn.Bilinear(2, 3, 4)
    layer.register_forward_pre_hook(lambda _module, inputs: (2 * inputs[0], inputs[1]))
    inputs = torch.randn(5, 2), torch.randn(5, 3)
    assert torch.equal(call_with_forward_hooks(layer, layer.forward, *inputs), layer(*inputs))


def test_nothing_is_being_compiled_while_tests_run_eagerly() -> None:
    assert not is_compiling()
