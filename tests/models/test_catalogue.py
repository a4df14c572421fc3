from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from rankelastor.errors import SettingsError
from rankelastor.models.catalogue import MODELS
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.recipes.load import load_recipe, recipe_from_values

RECIPES = Path(__file__).parents[2] / "recipes"


def kind_of(model: type[RankerSettings]) -> str:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    return str(kind)


def test_every_model_has_a_kind_of_its_own() -> None:
    kinds = [kind_of(model) for model in MODELS]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("model", MODELS, ids=kind_of)
def test_every_model_has_a_file_of_its_kind_and_a_recipe(model: type[RankerSettings]) -> None:
    assert model.__module__ == f"rankelastor.models.{kind_of(model)}"
    recipe = load_recipe(RECIPES / "private" / "frappe" / f"{kind_of(model)}.yaml")
    assert type(recipe.model) is model
    assert recipe_from_values(recipe.model_dump(mode="json")) == recipe


def test_an_unknown_model_lists_the_known_ones(recipe_values: dict[str, Any]) -> None:
    recipe_values["model"]["kind"] = "widedeep"
    known = ", ".join(repr(kind_of(model)) for model in MODELS)
    with pytest.raises(SettingsError, match=rf"model\.kind must be one of {known}, but 'widedeep' was given"):
        recipe_from_values(recipe_values)
