"""Tests that weights of version 0.1.0 give the same logits as in that version.

``weights_of_0_1_0.json`` holds, for rankers that version 0.1.0 built, the names and shapes of their parameters, and the
logits that it computed for ``BATCH`` with the parameters of ``values``.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from rankelastor.models.build import build_ranker
from rankelastor.models.catalogue import ModelSettings
from rankelastor.runs.migration import map_old_names, rename_weights
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema(
    (
        CategoricalFeature("site", 5),
        CategoricalFeature("device", 4),
        NumericFeature("price"),
        CategoricalFeature("hour", 6),
    )
)
BATCH = Batch(
    categorical=torch.tensor([[1, 2, 3], [4, 3, 5], [0, 1, 2]], dtype=torch.int32),
    numeric=torch.tensor([[0.5], [-1.0], [2.0]]),
    labels=None,
    group=None,
)
CASES = json.loads(Path(__file__).with_name("weights_of_0_1_0.json").read_text())


def values(name: str, index: int, shape: list[int]) -> Tensor:
    """Make values for each parameter: a sine, shifted by its index; a temperature is 0.5."""
    if name.endswith("temperature"):
        return torch.tensor(0.5)
    steps = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return (0.5 * (1.7 * steps + index).sin()).float().reshape(shape)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_old_weights_give_the_logits_that_they_gave(case: dict[str, Any]) -> None:
    old = {name: values(name, index, shape) for index, (name, shape) in enumerate(case["weights"].items())}
    ranker = build_ranker(TypeAdapter(ModelSettings).validate_python(case["model"]), SCHEMA).eval()
    ranker.load_state_dict(rename_weights(old))
    with torch.no_grad():
        assert ranker(BATCH).flatten().tolist() == pytest.approx(case["logits"], abs=2e-5)


def test_positions_are_numbers_and_not_texts() -> None:
    names = [f"backbone.tokenizer.mlp.{4 * layer}.{kind}" for layer in range(4) for kind in ("weight", "bias")]
    names += [f"backbone.tokenizer.mlp.{4 * layer + 1}.weight" for layer in range(3)]
    new = map_old_names(names)
    assert new["backbone.tokenizer.mlp.8.bias"] == "network.tokenizer.mlp.layers.2.linear.bias"
    assert new["backbone.tokenizer.mlp.9.weight"] == "network.tokenizer.mlp.layers.2.norm.weight"
    assert new["backbone.tokenizer.mlp.12.weight"] == "network.tokenizer.mlp.out.weight"


def test_names_of_today_stay() -> None:
    names = ["network.tokenizer.mlp.layers.0.norm.weight", "embedding.table"]
    assert map_old_names(names) == dict(zip(names, names, strict=True))
