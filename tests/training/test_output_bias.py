"""The output bias starts at the logit of the label rate where a recipe asks for it, and at zero elsewhere."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from rankelastor.data.prepare import open_or_prepare
from rankelastor.models.build import build_ranker
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.inputs import RunInputs
from rankelastor.training.output_bias import find_output_bias, set_output_bias


def rare(recipe_values: dict[str, Any], click_log: Path, **training: object) -> Recipe:
    """The tiny recipe with one click among ten rows."""
    lines = (click_log / "train.csv").read_text().splitlines()
    unclicked = [line.replace("1,", "0,", 1) if line.startswith("1,") else line for line in lines[2:]]
    (click_log / "train.csv").write_text("\n".join([*lines[:2], *unclicked]) + "\n")
    return recipe_from_values(recipe_values | {"training": recipe_values["training"] | training})


def bias_of(recipe: Recipe) -> float:
    inputs = RunInputs.of(recipe)
    bias = find_output_bias(inputs.training().ranker, inputs.dataset.schema)
    assert bias is not None
    return bias.item()


def test_recipes_start_at_zero_unless_they_ask_for_the_label_rate(
    recipe_values: dict[str, Any], click_log: Path
) -> None:
    recipe = rare(recipe_values, click_log)
    assert recipe.version == 1
    assert bias_of(recipe) == 0
    assert bias_of(with_overrides(recipe, {"version": 2})) == 0
    assert bias_of(with_overrides(recipe, {"training.output_bias": "base_rate"})) == pytest.approx(math.log(1.5 / 9.5))
    assert bias_of(with_overrides(recipe, {"version": 2, "training.output_bias": "zero"})) == 0


def test_what_training_changes_of_the_odds_counts(recipe_values: dict[str, Any], click_log: Path) -> None:
    changed = rare(recipe_values, click_log, output_bias="base_rate", positive_weight=3, negatives_kept=0.5)
    assert bias_of(changed) == pytest.approx(math.log(3 * 1.5 / (0.5 * 9.5)))


def test_the_other_initial_values_are_the_same(recipe: Recipe) -> None:
    zero, rate = (
        RunInputs.of(with_overrides(recipe, {"training.output_bias": bias})).training().ranker.state_dict()
        for bias in ("zero", "base_rate")
    )
    differing = {name for name, tensor in zero.items() if not torch.equal(tensor, rate[name])}
    assert differing <= {"network.head.out.bias", "network.head.linear.bias"}


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"kind": "rankmixer", "ffn": {"kind": "mlp", "hidden_dims": [6]}},
        {"head": {"kind": "linear"}},
        {"kind": "mlp", "hidden_dims": [8]},
        {"kind": "dcn_v2", "hidden_dims": [8]},
    ],
    ids=str,
)
def test_the_output_bias_of_each_model_is_found(model: dict[str, Any], recipe: Recipe) -> None:
    values = recipe.model_dump(mode="json")
    values["model"] = model if model.get("kind") in {"mlp", "dcn_v2"} else values["model"] | model
    schema = open_or_prepare(recipe.data).schema
    ranker = build_ranker(recipe_from_values(values).model, schema)
    bias = find_output_bias(ranker, schema)
    assert bias is not None
    before = bias.item()
    assert set_output_bias(ranker, schema, [-3.0])
    assert bias.item() == pytest.approx(before - 3)


def test_a_head_without_a_bias_is_left_alone(recipe: Recipe) -> None:
    schema = open_or_prepare(recipe.data).schema
    ranker = build_ranker(with_overrides(recipe, {"model.head": {"kind": "mean"}}).model, schema)
    before = {name: tensor.clone() for name, tensor in ranker.state_dict().items()}
    assert not set_output_bias(ranker, schema, [-3.0])
    assert all(torch.equal(tensor, before[name]) for name, tensor in ranker.state_dict().items())
    assert ranker.training
