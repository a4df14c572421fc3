"""The verb tune, as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.cli.tune_view import trial_line
from rankelastor.tuning.record import TrialRecord

pytest.importorskip("optuna", reason="the extra `tune` is not installed")
runner = CliRunner()


def test_trials_are_shown_and_added_to(recipe_values: dict[str, Any], tmp_path: Path) -> None:
    recipe, space, folder = tmp_path / "tiny.yaml", tmp_path / "space.yaml", tmp_path / "tune"
    recipe.write_text(yaml.safe_dump(recipe_values))
    shown = runner.invoke(app, ["tune", str(recipe), "--show-space"])
    assert shown.exit_code == 0, shown.output
    assert set(yaml.safe_load(shown.stdout)) > {"training.optimiser.learning_rate", "model.embedding_dim"}
    space.write_text("training.learning_rate: {log: [1e-4, 1e-2]}\n")
    arguments = ["tune", str(recipe), "--space", str(space), "--to", str(folder)]
    first = runner.invoke(app, [*arguments, "--trials", "1"])
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines()[0].split()[:4] == ["trial", "state", "valid", "auc"]
    assert f"best on valid: the recipe as it stands; its recipe: {folder / 'best.yaml'}" in first.stdout
    assert "trial 1/1  auc " in first.stderr
    second = runner.invoke(app, [*arguments, "--trials", "2", "--json"])
    found = json.loads(second.stdout)
    assert [trial["index"] for trial in found["trials"]] == [0, 1]
    assert set(found["best"]["metrics"]) >= {"auc", "logloss"}
    space.write_text("training.learning_rat: {log: [1e-4, 1e-2]}\n")
    wrong = runner.invoke(app, [*arguments, "--trials", "2"])
    assert wrong.exit_code == 2
    assert "space.yaml: training.learning_rat must be drawn from what the recipe takes" in wrong.stderr


def test_a_trial_that_does_not_fit_says_why() -> None:
    record = TrialRecord(3, "does not fit", {"model.num_tokens": 7}, reason="num_tokens must divide 48")
    assert trial_line(record, None, num_trials=8) == (
        "trial 4/8  does not fit: num_tokens must divide 48  num_tokens=7"
    )
