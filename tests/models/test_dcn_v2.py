from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.models.loops import added, multiplied, softmax, times
from tests.models.test_build import BATCH, SCHEMA
from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.models.build import build_ranker
from rankelastor.models.dcn_v2 import DcnV2Settings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.recipes.load import recipe_from_values

STRUCTURES: list[dict[str, Any]] = [
    {"structure": "crossnet"},
    {"structure": "stacked", "hidden_dims": (3,)},
    {"structure": "parallel", "hidden_dims": (3, 2)},
    {"structure": "stacked_parallel", "hidden_dims": (3,), "stacked_hidden_dims": (4, 2)},
    {"structure": "stacked", "hidden_dims": (3,), "cross": {"kind": "mixture", "rank": 2, "num_experts": 3}},
]


def name_of(changes: dict[str, Any]) -> str:
    return f"{changes['structure']}{'-mixture' if 'cross' in changes else ''}"


def settings(**changes: Any) -> DcnV2Settings:
    return DcnV2Settings.model_validate({"kind": "dcn_v2", "embedding_dim": 2, "num_cross_layers": 2} | changes)


def mapped(linear: Any, x: list[float]) -> list[float]:
    """Compute W x + b with loops."""
    bias = [0.0] * linear.out_features if linear.bias is None else linear.bias.tolist()
    return [
        sum(w * value for w, value in zip(row, x, strict=True)) + b
        for row, b in zip(linear.weight.tolist(), bias, strict=True)
    ]


def hidden_of(network: Any, x: list[float]) -> list[float]:
    for layer in network.deep.layers:
        x = [max(0.0, value) for value in mapped(layer.linear, x)]
    return x


def crossed_of(network: Any, x0: list[float]) -> list[float]:
    x = x0
    for layer in network.cross.layers:
        if hasattr(layer, "core"):
            x = mixed_of(layer, softmax(mapped(network.cross.gate, x)), x0, x)
            continue
        x = [first * value + own for first, value, own in zip(x0, mapped(layer.linear, x), x, strict=True)]
    return x


def mixed_of(layer: Any, gates: list[float], x0: list[float], x: list[float]) -> list[float]:
    total = [0.0] * len(x)
    for gate, down, core, up in zip(gates, layer.down.tolist(), layer.core.tolist(), layer.up.tolist(), strict=True):
        inner = [math.tanh(value) for value in multiplied(x, down)]
        inner = [math.tanh(value) for value in multiplied(inner, core)]
        crossed = times(x0, added(multiplied(inner, up), layer.bias.tolist()))
        total = added(total, [gate * value for value in crossed])
    return added(total, x)


def beside_of(network: Any, crossed: list[float]) -> list[float]:
    if isinstance(network.cross_out, nn.Linear):
        return mapped(network.cross_out, crossed)
    *layers, out = network.cross_out
    for layer in layers:
        crossed = [max(0.0, value) for value in mapped(layer.linear, crossed)]
    return mapped(out, crossed)


@pytest.mark.parametrize("changes", STRUCTURES, ids=name_of)
def test_each_structure_is_what_loops_compute(changes: dict[str, Any]) -> None:
    network: Any = settings(**changes).network(SCHEMA).eval().double()
    fields = torch.randn(4, SCHEMA.num_fields, 2, dtype=torch.float64)
    expected = []
    for example in fields:
        x0 = example.flatten().tolist()
        crossed = crossed_of(network, x0)
        if "parallel" in changes["structure"]:
            both = [*beside_of(network, crossed), *mapped(network.deep.out, hidden_of(network, x0))]
            expected.append([sum(both)])
        else:
            expected.append(mapped(network.deep.out, hidden_of(network, crossed)))
    torch.testing.assert_close(network(Embedded(fields)), torch.tensor(expected, dtype=torch.float64))


def test_the_parallel_form_is_one_linear_map_of_both_parts() -> None:
    network: Any = settings(structure="parallel", hidden_dims=(3,)).network(SCHEMA).eval()
    x = torch.randn(4, SCHEMA.num_fields * 2)
    whole = nn.Linear(SCHEMA.num_fields * 2 + 3, 1)
    with torch.no_grad():
        whole.weight.copy_(torch.cat([network.cross_out.weight, network.deep.out.weight], dim=1))
        whole.bias.copy_(network.deep.out.bias)
        expected = whole(torch.cat([network.cross(x), network.deep.layers[0](x)], dim=1))
        torch.testing.assert_close(network(Embedded(x.view(4, -1, 2))), expected)


@pytest.mark.parametrize("changes", STRUCTURES, ids=name_of)
def test_every_structure_gives_a_logit_per_example_and_learns_everywhere(changes: dict[str, Any]) -> None:
    ranker = build_ranker(settings(**changes), SCHEMA)
    logits = ranker(BATCH)
    assert logits.shape == (3, 1)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in ranker.network.parameters())
    assert list(ranker.points) == ["fields"]
    assert list(ranker.stages) == ["cross", "deep"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"structure": "stacked"},
            r"model\.hidden_dims must hold at least one width with structure: stacked, but \[\] was",
        ),
        (
            {"structure": "crossnet", "hidden_dims": [4]},
            r"model\.hidden_dims must be left out with structure: crossnet, but \[4\] was",
        ),
        (
            {"structure": "beside"},
            r"model\.structure must be 'crossnet', 'stacked', 'parallel' or 'stacked_parallel', but 'beside' was",
        ),
        (
            {"structure": "stacked_parallel", "hidden_dims": [4]},
            r"must have at least one of stacked_hidden_dims, but \[\] was given; try structure=parallel",
        ),
        (
            {"structure": "parallel", "hidden_dims": [4], "stacked_hidden_dims": [4]},
            r"parallel must have no stacked_hidden_dims, but \[4\] was given; try structure=stacked_parallel",
        ),
        ({"num_cross_layers": 0, "structure": "crossnet"}, r"model\.num_cross_layers must be greater than 0"),
        (
            {"num_layers": 2, "structure": "crossnet"},
            r"unknown setting model\.num_layers; did you mean num_cross_layers\?",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_named(
    changes: dict[str, Any], message: str, recipe_values: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match=message):
        recipe_from_values(recipe_values | {"model": {"kind": "dcn_v2"} | changes})
