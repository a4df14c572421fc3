"""A recipe of version 2 that names its model alone, from the choice to the run folder and back."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.data.prepare import prepare
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import dump_yaml, recipe_from_values
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.run import train


@pytest.fixture
def short(recipe: Recipe) -> Recipe:
    """The ten rows of the fixture, without anything but the name of the model."""
    data = recipe.model_dump(mode="json")["data"]
    return recipe_from_values(
        {"name": "short", "version": 2, "data": data, "model": {"kind": "rankelastor"}, "training": {"epochs": 2}}
    )


def test_a_run_records_what_was_chosen_and_reads_back(short: Recipe, tmp_path: Path) -> None:
    run = train(short, folder=tmp_path / "run")
    folder = RunFolder.open(run.folder)
    assert folder.recipe().training.batch_size == 16
    assert "10 train rows" in folder.environment()["chosen"]["training.batch_size"]
    assert "chosen: training.batch_size=16" in folder.train_log.read_text()
    assert evaluate(run.folder, split="test").as_dict() == run.result.test


def test_describe_shows_what_was_chosen_of_a_recipe_and_of_its_run(short: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text(json.dumps(short.given))
    prepare(short.data)
    train(short, folder=tmp_path / "run")
    of_recipe, of_run = (
        CliRunner().invoke(app, ["describe", str(place), "--json"], catch_exceptions=False)
        for place in (file, tmp_path / "run")
    )
    chosen = json.loads(of_recipe.stdout)["chosen"]
    assert {"path": "training.stopping.patience", "value": 8}.items() <= next(
        each for each in chosen if each["path"] == "training.stopping.patience"
    ).items()
    assert [each["path"] for each in json.loads(of_run.stdout)["chosen"]] == [each["path"] for each in chosen]
    shown = CliRunner().invoke(app, ["describe", str(file)], env={"COLUMNS": "160"}, catch_exceptions=False).output
    assert "The recipe leaves out what follows" in shown
    assert "1 steps an epoch of 10 train rows" in " ".join(shown.split())


def test_a_recipe_of_version_1_shows_no_choice(recipe: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(dump_yaml(recipe))
    shown = CliRunner().invoke(app, ["describe", str(file), "--json"], catch_exceptions=False)
    assert json.loads(shown.stdout)["chosen"] == []
