"""What changes the state of a model: everything that its operations depend on, but for values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rankelastor.execution.model_state import ModelState


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.one = nn.Parameter(torch.ones(1))
        self.register_buffer("shift", torch.zeros(3))
        self.register_buffer("nothing", None)
        self.dims = [1, 2]
        self.edges = np.arange(3)
        self.rate = 0.1
        self.rest = nn.Sequential(nn.Dropout(0.1))


def move(parameter: Tensor) -> None:
    parameter.data = parameter.data.clone()


CHANGES: dict[str, Callable[[Any], object]] = {
    "an attribute": lambda layer: setattr(layer, "rate", 0.2),
    "an attribute of an inner layer": lambda layer: setattr(layer.rest[0], "p", 0.2),
    "an attribute more": lambda layer: setattr(layer, "more", 1),
    "an attribute less": lambda layer: delattr(layer, "rate"),
    "a list in place": lambda layer: layer.dims.append(3),
    "an array": lambda layer: setattr(layer, "edges", np.arange(1, 4)),
    "the mode": lambda layer: layer.eval(),
    "a layer": lambda layer: setattr(layer, "linear", nn.Linear(2, 3)),
    "a layer in a container": lambda layer: layer.rest.append(nn.ReLU()),
    "a parameter": lambda layer: setattr(layer.linear, "weight", nn.Parameter(torch.ones(3, 2))),
    "a parameter of one equal value": lambda layer: setattr(layer, "one", nn.Parameter(torch.ones(1))),
    "where a parameter lies": lambda layer: move(layer.linear.weight),
    "the shape of a parameter": lambda layer: setattr(layer.linear.weight, "data", layer.linear.weight.data.view(-1)),
    "a frozen parameter": lambda layer: layer.linear.bias.requires_grad_(False),
    "a buffer": lambda layer: setattr(layer, "shift", torch.zeros(3)),
    "a buffer that was none": lambda layer: setattr(layer, "nothing", torch.zeros(3)),
    "a hook on a gradient": lambda layer: layer.one.register_hook(lambda gradient: gradient),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noticed(name: str) -> None:
    layer = Layer()
    state = ModelState(layer)
    assert state.holds()
    CHANGES[name](layer)
    assert not state.holds()
    assert ModelState(layer).holds()


def test_values_equal_attributes_and_hooks_of_modules_are_no_change() -> None:
    layer = Layer()
    state = ModelState(layer)
    with torch.no_grad():
        layer.linear.weight.add_(1)
        layer.shift.fill_(3)  # type: ignore[operator]
    layer.rate = 2 / 20
    layer.dims = [1, 2]
    layer.linear.weight.grad = torch.ones(3, 2)
    layer.register_forward_hook(lambda *_: None)
    layer.eval().train()
    assert state.holds()


def test_it_tells_of_hooks_on_gradients() -> None:
    layer = Layer()
    assert not ModelState(layer).has_gradient_hooks
    handle = layer.one.register_hook(lambda gradient: gradient)
    assert ModelState(layer).has_gradient_hooks
    handle.remove()
    assert not ModelState(layer).has_gradient_hooks
