"""Recipes of a study are tuned with equal effort before the grid, and every draw is on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.studies.small_study import small_study

from rankelastor.errors import SettingsError
from rankelastor.recipes.load import load_recipe
from rankelastor.studies.work.run_study import run_study

pytest.importorskip("optuna", reason="the extra `tune` is not installed")


def test_each_recipe_has_the_same_budget_and_a_best_recipe(tmp_path: Path) -> None:
    space = {"training.embedding_l2": {"one_of": [0.0, 0.001, 0.01]}}
    tuning = {"trials": 2, "spaces": {"elastor": space, "mixer": space}}
    study = small_study(axes={}, seeds=[1], rank_examples=0, tuning=tuning)
    found = run_study(study, folder=tmp_path)
    records = [json.loads(line) for line in (tmp_path / "tuning.jsonl").read_text().splitlines()]
    assert [(record["recipe"], len(record["draws"]), record["space"]) for record in records] == [
        ("elastor", 2, space),
        ("mixer", 2, space),
    ]
    for record, line in zip(records, found.lines, strict=True):
        best = load_recipe(tmp_path / record["best_recipe"])
        assert line.settings["training"]["optimiser"] == best.training.model_dump(mode="json")["optimiser"]
        assert line.changes == record["best"]
        assert not any("test" in str(draw["metrics"]) for draw in record["draws"])
    assert run_study(study, folder=tmp_path).lines == found.lines  # it goes on without tuning again


def test_recipes_that_are_tuned_side_by_side_draw_what_they_draw_one_after_the_other(tmp_path: Path) -> None:
    tuning = {"trials": 2, "spaces": {"mixer": {"training.learning_rate": {"log": [0.001, 0.1]}}}}
    study = small_study(axes={}, seeds=[1], rank_examples=0, tuning=tuning)
    for jobs in (1, 2):
        run_study(study, folder=tmp_path / str(jobs), jobs=jobs)
    alone, together = (_records(tmp_path / str(jobs)) for jobs in (1, 2))
    assert alone == together


def _records(folder: Path) -> list[dict[str, object]]:
    """Read the record of the tunings without the times, which differ."""
    records = [json.loads(line) for line in (folder / "tuning.jsonl").read_text().splitlines()]
    for record in records:
        for draw in record["draws"]:
            draw.pop("seconds")
    return records


def test_a_space_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    tuning = {"trials": 1, "spaces": {"mixer": {"model.ffn.hidden_dim": {"integer": [1, 3]}}}}
    with pytest.raises(SettingsError, match=r"model.ffn.hidden_dim must be drawn from what the recipe takes"):
        run_study(small_study(axes={}, seeds=[1], tuning=tuning), folder=tmp_path, only="mixer/*")
