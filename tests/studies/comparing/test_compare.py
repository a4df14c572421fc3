"""Finished runs are compared on the same test rows, and refused on others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.conftest import tiny_values, write_clicks
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.errors import RunError, SettingsError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.run_folder import RunFolder
from rankelastor.studies.comparing.compare import compare_runs
from rankelastor.training.run import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on ten rows, and one on nine of them."""
    place = tmp_path_factory.mktemp("runs")
    log = write_clicks(place)
    values = tiny_values(log, prepared=place / "prepared")
    values["training"] |= {"epochs": 1, "baseline": False}
    folders = []
    for seed in (1, 2):
        values["training"] |= {"seed": seed}
        folders.append(train(recipe_from_values(values), folder=place / f"seed-{seed}").folder)
    shutil.copytree(log, place / "shorter")
    text = (log / "test.csv").read_text().splitlines(keepends=True)
    (place / "shorter" / "test.csv").write_text("".join(text[:-1]))
    values["data"] |= {
        "prepared": str(place / "other"),
        "files": {**values["data"]["files"], "folder": str(place / "shorter")},
    }
    folders.append(train(recipe_from_values(values), folder=place / "shorter-run").folder)
    return folders


def test_differences_are_those_of_the_results(runs: list[Path]) -> None:
    (found,) = compare_runs(runs[:2])
    results = [RunFolder(run).result().test for run in runs[:2]]
    assert (found.name, found.other, found.num_rows, found.task) == ("seed-2", "seed-1", 10, "click")
    assert {each.metric for each in found.differences} == {"auc", "gauc", "logloss"}
    for each in found.differences:
        assert each.value == pytest.approx(results[1][each.metric], abs=1e-6)
        assert each.other == pytest.approx(results[0][each.metric], abs=1e-6)
        assert each.low <= each.difference <= each.high


def test_runs_on_different_rows_are_refused(runs: list[Path]) -> None:
    with pytest.raises(RunError, match=r"on the same rows, but .*seed-1 and .*shorter-run have other files of test"):
        compare_runs([runs[0], runs[2]])
    with pytest.raises(SettingsError, match="two or more to be compared, but 1 was given"):
        compare_runs(runs[:1])


def test_the_verb_says_it_in_words(runs: list[Path]) -> None:
    shown = CliRunner().invoke(app, ["compare", *map(str, runs[:2])])
    assert shown.exit_code == 0, shown.output
    assert "AUC: seed-2" in shown.stdout
    assert "another training seed may change each model by more" in shown.stdout
    as_json = CliRunner().invoke(app, ["compare", *map(str, runs[:2]), "--json"])
    assert json.loads(as_json.stdout)[0]["differences"][0]["method"] == "DeLong"
