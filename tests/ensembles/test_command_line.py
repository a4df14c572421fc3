"""What people see of ensembles: train --seeds, ensemble, evaluate, describe, runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rankelastor.cli.ensemble import Kind
from rankelastor.cli.main import app
from rankelastor.config.calibration import CALIBRATION_KINDS
from rankelastor.recipes.load import dump_yaml
from rankelastor.recipes.recipe import Recipe
from rankelastor.training.run import TrainedRun


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines_of(text: str, beginning: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(beginning)]


@pytest.fixture(scope="module")
def trained(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder with the ensemble ``run``, and what training it printed."""
    folder = tmp_path_factory.mktemp("command")
    (folder / "recipe.yaml").write_text(dump_yaml(tiny))
    return folder, call("train", folder / "recipe.yaml", "--seeds", 2, "--processes", 1, "--run", folder / "run")


def test_training_shows_the_members_their_mean_and_the_ensemble(trained: tuple[Path, Result]) -> None:
    folder, result = trained
    assert result.exit_code == 0, result.output
    for beginning in ("seed-1", "seed-2", "mean of members", "ensemble "):
        assert lines_of(result.stdout, beginning), result.stdout
    assert lines_of(result.stdout, "2 members, ")
    assert f"run folder: {folder / 'run'}" in result.stdout
    assert lines_of(result.stderr, "seed-2  epoch 1/1")


def test_a_second_training_is_refused(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    again = call("train", folder / "recipe.yaml", "--seeds", 2, "--run", folder / "run")
    assert type(again.exception).__name__ in {"RunError", "SystemExit"}
    assert again.exit_code != 0


def test_evaluate_shows_and_prints_the_members(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    shown = call("evaluate", folder / "run")
    assert lines_of(shown.stdout, "mean of members")
    values = json.loads(call("evaluate", folder / "run", "--json").stdout)["members"]["test"]
    assert list(values) == ["seed-1", "seed-2", "mean of members"]
    assert values["mean of members"]["auc"] == pytest.approx((values["seed-1"]["auc"] + values["seed-2"]["auc"]) / 2)


def test_describe_shows_the_members(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    shown = call("describe", folder / "run").stdout
    assert lines_of(shown, "seed-2")
    assert lines_of(shown, "each of 2 members: ")
    assert len(json.loads(call("describe", folder / "run", "--json").stdout)["result"]["members"]) == 2


def test_runs_lists_an_ensemble_as_one(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    (found,) = json.loads(call("runs", folder, "--json").stdout)
    assert (found["model"], found["state"]) == ("2 x rankelastor", "finished")


def test_finished_runs_become_an_ensemble(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    made = call("ensemble", folder / "run" / "members" / "*", "--to", folder / "made" / "x", "--calibration", "offset")
    assert made.exit_code == 0, made.output
    assert lines_of(made.stdout, "mean of members")
    assert "calibration: none, since valid holds 5 rows" in made.stdout


def test_describe_shows_the_calibration(ensemble: TrainedRun) -> None:
    shown = call("describe", ensemble.folder).stdout
    assert lines_of(shown, "ensemble, calibrated")
    assert lines_of(shown, "calibration: platt, logits are multiplied by 0.")
    assert lines_of(shown, "test, calibrated: logloss (nats) ")


def test_options_that_do_not_belong_together_are_refused(trained: tuple[Path, Result]) -> None:
    folder, _ = trained
    for options in (["--seeds", 2, "--resume"], ["--seeds", 1], ["--processes", 0]):
        assert call("train", folder / "recipe.yaml", "--run", folder / "other", *options).exit_code != 0
    assert not (folder / "other").exists()


def test_the_command_offers_the_kinds_of_calibration_that_there_are() -> None:
    assert [kind.value for kind in Kind] == list(CALIBRATION_KINDS)
