"""Ensembles that several tests look at, trained once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import tiny_values, write_clicks
from tests.training import item_log

from rankelastor.ensembles.train import train_ensemble
from rankelastor.recipes.load import recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import TrainedRun


@pytest.fixture(scope="package")
def item_recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A recipe whose ranker is over-confident, calibrated by Platt's method."""
    folder = tmp_path_factory.mktemp("items")
    item_log.write_log(folder)
    return item_log.recipe(folder, "platt", epochs=3)


@pytest.fixture(scope="package")
def ensemble(item_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """An ensemble of three seeds; tests do not change it."""
    return train_ensemble(item_recipe, folder=tmp_path_factory.mktemp("runs") / "ensemble", num_processes=1)


@pytest.fixture(scope="package")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A tiny ranker on ten rows."""
    folder: Path = tmp_path_factory.mktemp("clicks")
    values = tiny_values(write_clicks(folder), prepared=folder / "prepared")
    values["training"] |= {"epochs": 1, "baseline": False}
    return recipe_from_values(values)
