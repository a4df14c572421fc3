"""The verbs runs, repeat and train --resume, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.training.resumed_runs import EVERY_STEP, Kill, KilledError
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.training.run import train

runner = CliRunner()


@pytest.fixture
def recipe_file(recipe_values: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe_values))
    return path


def test_runs_are_listed_resumed_and_repeated(recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    recipe = with_overrides(load_recipe(recipe_file), EVERY_STEP)
    with pytest.raises(KilledError):
        train(recipe, folder=folder / "one", observers=[Kill(6)])

    listed = runner.invoke(app, ["runs", str(folder)])
    assert listed.exit_code == 0
    header, line = listed.stdout.splitlines()
    assert header.split()[:3] == ["run", "model", "state"]
    assert line.startswith("one  rankelastor  stopped at step 5")

    arguments = ["train", str(recipe_file), "--run", str(folder / "one"), "--set", "training.epochs=4", "--resume"]
    resumed = runner.invoke(app, arguments)
    assert resumed.exit_code == 0, resumed.output
    values = json.loads(runner.invoke(app, ["runs", str(folder), "--json"]).stdout)
    assert [(run["name"], run["state"], run["step"]) for run in values] == [("tiny", "finished", 12)]
    assert values[0]["num_bytes"] > 1000

    repeated = runner.invoke(app, ["repeat", str(folder / "one")])
    assert repeated.exit_code == 0, repeated.output
    assert repeated.stdout.splitlines()[-2:] == [
        "the environment is the same",
        "the same bit for bit: all weights and all metrics",
    ]


def test_an_empty_folder_is_no_mistake(tmp_path: Path) -> None:
    assert "holds no run; `rankelastor train RECIPE` makes one" in runner.invoke(app, ["runs", str(tmp_path)]).stdout


def test_resuming_what_is_not_there_names_no_python(recipe_file: Path, tmp_path: Path) -> None:
    failed = runner.invoke(app, ["train", str(recipe_file), "--run", str(tmp_path / "run"), "--resume"])
    assert failed.exit_code == 2
    assert "must exist, but" in failed.stderr
