"""A width is chosen so that two rankers have about as many dense parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankelastor.data.prepare import prepare
from rankelastor.errors import SettingsError
from rankelastor.models.cost import cost_of
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.studies.plan.matching import Match, matched


def test_the_nearest_width_is_chosen(recipe: Recipe, tmp_path: Path) -> None:
    schema = prepare(recipe.data).schema
    other = with_overrides(recipe, {"model.ffn": {"kind": "mlp", "hidden_dims": [1]}})
    found, chosen = matched(other, Match(recipe, "model.ffn.hidden_dims.0", within=0.2), schema)
    target = cost_of(recipe.model, schema).dense_parameters
    width = chosen["model.ffn.hidden_dims.0"]
    gaps = [
        abs(cost_of(with_overrides(found, {"model.ffn.hidden_dims.0": each}).model, schema).dense_parameters - target)
        for each in (width - 1, width, width + 1)
    ]
    assert gaps[1] == min(gaps)
    with pytest.raises(
        SettingsError, match=r"match.adjust must reach the [\d,]+ dense parameters of tiny within 0.0 %"
    ):
        matched(other, Match(recipe, "model.ffn.hidden_dims.0", within=0.0001), schema)
