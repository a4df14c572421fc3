"""Runs on the ten rows, and bundles of them, for the tests of bundles."""

from pathlib import Path
from typing import Any

from tests.conftest import tiny_values, write_clicks

from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import train


def tiny_recipe(folder: Path, **training: Any) -> Recipe:
    """Make the recipe of a tiny ranker on the ten rows, which lie in a new folder ``log``."""
    values = tiny_values(write_clicks(folder), prepared=folder / "prepared")
    values["training"] |= {"epochs": 1, **training}
    return recipe_from_values(values)


def tiny_run(folder: Path, **training: Any) -> Path:
    """Train it, and return the run folder."""
    return train(tiny_recipe(folder, **training), folder=folder / "run").folder
