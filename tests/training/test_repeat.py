import json
from dataclasses import replace
from pathlib import Path

import pytest

from rankelastor.errors import RunError
from rankelastor.recipes.load import with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.repeat import _place_of_data, compare_runs, repeat_run
from rankelastor.training.run import train


def test_a_run_repeats_bit_for_bit(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, folder=tmp_path / "run")
    found = repeat_run(tmp_path / "run", to=tmp_path / "again")
    assert found.is_identical
    assert found.largest_difference == 0
    assert found.environment == {}
    assert found.verdict == "the same bit for bit: all weights and all metrics"
    assert RunFolder.open(tmp_path / "again").has_result


def test_a_run_with_other_numbers_is_measured(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, folder=tmp_path / "run")
    train(with_overrides(recipe, {"training.seed": 2}), folder=tmp_path / "other")
    environment = tmp_path / "other" / "environment.json"
    values = json.loads(environment.read_text())
    environment.write_text(json.dumps(values | {"threads": 99}))
    runs = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "other")
    found = compare_runs(*runs, tolerance=1e-9)
    before, now = (run.result().test["logloss"] for run in runs)
    assert found.metrics["test.logloss"] == (before, now)
    assert not found.is_identical
    assert not found.is_within_tolerance
    assert found.environment["threads"] == (values["threads"], 99)
    assert "beyond the tolerance of 1e-09" in found.verdict
    assert replace(found, tolerance=1.0).is_within_tolerance


def test_only_a_finished_run_repeats(recipe: Recipe, tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", recipe)
    with pytest.raises(RunError, match=r"must hold result\.json"):
        repeat_run(tmp_path / "run")


@pytest.mark.parametrize("part", ["checkpoints/best.safetensors", "environment.json"])
def test_a_damaged_run_is_refused_before_it_is_trained_again(
    recipe: Recipe, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe, folder=tmp_path / "run")
    path = tmp_path / "run" / part
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr("rankelastor.training.repeat.train", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises(RunError, match=part):
        repeat_run(tmp_path / "run")


def test_data_that_are_not_where_the_settings_say_are_taken_from_where_they_were(
    recipe: Recipe, tmp_path: Path
) -> None:
    run = RunFolder.create(tmp_path / "run", with_overrides(recipe, {"data.prepared": "nowhere"}))
    run.write_environment({"prepared": str(tmp_path)})
    assert _place_of_data(run) == {"data.prepared": str(tmp_path)}
    run.write_environment({"prepared": str(tmp_path / "gone")})
    assert _place_of_data(run) == {}
