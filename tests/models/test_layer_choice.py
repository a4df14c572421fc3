from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from rankelastor.models.layer_choice import LayerChoice, Variant
from rankelastor.nn.projection import Projection


class Small(nn.Module):
    """A small layer."""

    def __init__(self, *, size: int, scale: float = 1.0) -> None:
        super().__init__()
        self.size, self.scale = size, scale


class Other(nn.Module):
    """Another small layer."""


class Large(nn.Module):
    """A large layer that contains a small one and an MLP, and takes no size."""

    def __init__(self, *, small: Any = Small, mlp: Any = Projection, width: int = 2) -> None:
        super().__init__()
        self.small, self.mlp, self.width = small(size=7), mlp(in_dim=4, out_dim=1), width


INNER = LayerChoice({"small": Small, "other": Other}, given=["size"])
CHOICE = LayerChoice(
    {
        "small": Small,
        "large": Variant(
            Large, choices={"small": INNER}, inlined={"mlp": Variant(Projection, given=["in_dim", "out_dim"])}
        ),
    },
    given=["size"],
)


def test_the_layer_of_the_kind_gets_its_settings_and_the_sizes_that_it_names() -> None:
    layer = CHOICE.build(CHOICE.settings("small", {"scale": 3.0}), {"size": 5})
    assert isinstance(layer, Small)
    assert (layer.size, layer.scale) == (5, 3.0)
    assert isinstance(CHOICE.build(CHOICE.settings("large"), {"size": 5}), Large)


def test_a_choice_nests_and_an_inlined_layer_stands_beside() -> None:
    values = {"width": 9, "small": {"kind": "small", "scale": 2.0}, "hidden_dims": [6], "dropout": 0.5}
    layer = CHOICE.build(CHOICE.settings("large", values), {"size": 5})
    assert isinstance(layer, Large)
    assert (layer.width, layer.small.size, layer.small.scale) == (9, 7, 2.0)
    assert [type(module).__name__ for module in layer.mlp.layers] == ["ProjectionLayer"]
    assert layer.mlp.layers[0].dropout.p == 0.5


def test_the_default_of_a_nested_choice_stands_in_the_signature() -> None:
    dumped = CHOICE.settings("large").model_dump()
    assert dumped["small"] == {"kind": "small", "scale": 1.0}
    assert dumped["hidden_dims"] == ()


def test_a_size_that_the_model_forgets_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="size"):
        CHOICE.build(CHOICE.settings("small"), {})
