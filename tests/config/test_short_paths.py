"""Tests that settings of training may be written with and without their group."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rankelastor.config.short_paths import SHORT_PATHS
from rankelastor.config.training import TrainingSettings
from rankelastor.errors import SettingsError
from rankelastor.recipes.load import dump_yaml, load_recipe, recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe


def test_every_short_path_leads_to_a_setting() -> None:
    values = TrainingSettings().model_dump()
    for short, full in SHORT_PATHS.items():
        _, group, key = full.split(".")
        assert short == f"training.{key}"
        assert key in values[group]
        assert key not in values


def test_both_ways_mean_the_same(recipe_values: dict[str, Any]) -> None:
    recipe_values["training"] = {"patience": 3, "learning_rate": 0.1, "threads": 1}
    short = recipe_from_values(recipe_values)
    recipe_values["training"] = {
        "stopping": {"patience": 3},
        "optimiser": {"learning_rate": 0.1},
        "execution": {"threads": 1},
    }
    assert recipe_from_values(recipe_values) == short


def test_settings_are_written_in_groups(recipe: Recipe) -> None:
    written = yaml.safe_load(dump_yaml(recipe))["training"]
    assert written["optimiser"]["learning_rate"] == 0.01
    assert "learning_rate" not in written


def test_a_setting_given_both_ways_is_an_error_that_names_both(recipe_values: dict[str, Any]) -> None:
    recipe_values["training"] = {"patience": 3, "stopping": {"patience": 3}}
    with pytest.raises(SettingsError, match=r"training\.patience and training\.stopping\.patience are the same"):
        recipe_from_values(recipe_values)


@pytest.mark.parametrize("path", ["training.patience", "training.stopping.patience"])
def test_a_mistake_is_named_by_the_path_that_was_written(recipe: Recipe, path: str) -> None:
    with pytest.raises(SettingsError, match=rf"^settings: {path} must be greater than 0, but 0 was given$"):
        with_overrides(recipe, {path: 0})


def test_a_misspelt_short_path_is_recognised(recipe: Recipe) -> None:
    with pytest.raises(SettingsError, match=r"unknown setting training\.patiance; did you mean patience\?"):
        with_overrides(recipe, {"training.patiance": 1})


@pytest.mark.parametrize("base", [{"patience": 3}, {"stopping": {"patience": 3}}])
@pytest.mark.parametrize("change", [{"patience": 5}, {"stopping": {"patience": 5}}])
def test_the_last_word_counts_whichever_way_it_is_written(
    recipe_values: dict[str, Any], tmp_path: Path, base: dict[str, Any], change: dict[str, Any]
) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(recipe_values | {"training": base}))
    (tmp_path / "child.yaml").write_text(yaml.safe_dump({"extends": "base.yaml", "training": change}))
    assert load_recipe(tmp_path / "child.yaml").training.stopping.patience == 5
    for path in ("training.patience", "training.stopping.patience"):
        assert load_recipe(tmp_path / "child.yaml", {path: 7}).training.stopping.patience == 7
    assert load_recipe(tmp_path / "child.yaml", {"training.stopping": {"patience": 9}}).training.stopping.patience == 9


def test_the_json_schema_knows_both_ways() -> None:
    properties = TrainingSettings.model_json_schema()["properties"]
    assert {"stopping", "patience", "learning_rate", "threads"} <= properties.keys()
