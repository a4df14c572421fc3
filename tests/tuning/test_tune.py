from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="the extra `tune` is not installed")

from rankelastor.errors import RunError, SettingsError
from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.ensemble_folder import member_folders
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.observers import SilentObserver, Step, TrainingObserver
from rankelastor.training.run import train
from rankelastor.tuning import tune as tune_module
from rankelastor.tuning.record import TrialRecord, ranked
from rankelastor.tuning.trial import monitor_value
from rankelastor.tuning.tune import tune

SPACE = {"training.learning_rate": {"log": [1e-4, 1e-1]}, "model.ffn.dropout": {"between": [0, 0.5]}}


class Listener:
    """Remembers the trials, and kills the process, so to speak, at a step of one."""

    def __init__(self, *, kill_in: int | None = None) -> None:
        self.kill_in = kill_in
        self.heard: list[tuple[int, int | None]] = []

    def observers(self, index: int) -> Sequence[TrainingObserver]:
        return [Kill()] if index == self.kill_in else []

    def on_trial(self, record: TrialRecord, best: TrialRecord | None) -> None:
        self.heard.append((record.index, None if best is None else best.index))


class Kill(SilentObserver):
    def on_step(self, step: Step) -> None:
        if step.index == 2:
            raise KeyboardInterrupt


def without_times(trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    return [trial.as_dict() | {"seconds": 0} for trial in trials]


def test_a_tuning_never_looks_at_test_and_writes_the_best_recipe(recipe: Recipe, tmp_path: Path) -> None:
    listener = Listener()
    result = tune(recipe, trials=4, folder=tmp_path / "tune", space=SPACE, listener=listener)
    assert [index for index, _ in listener.heard] == [0, 1, 2, 3]
    assert result.trials[0].drawn == {}
    best = result.best
    assert best.value == max(trial.value for trial in result.trials if trial.value is not None)
    assert best.value == monitor_value(best.metrics, recipe.training.stopping.monitor)
    for run in (tmp_path / "tune" / "trials").iterdir():
        assert set(RunFolder.open(run).result().metrics) == {"valid"}
    tuned = load_recipe(tmp_path / "tune" / "best.yaml")
    assert tuned == result.recipe
    assert tuned.name == f"{recipe.name}-tuned"
    again = train(tuned, folder=tmp_path / "again").result
    assert again.valid["auc"] == best.metrics["auc"]
    text = (tmp_path / "tune" / "best.yaml").read_text()
    assert text.startswith(f"# Trial {best.index} of `rankelastor tune`: auc {best.metrics['auc']:.6f}, ")
    assert "the test split was not looked at" in text


def test_a_tuning_that_was_stopped_goes_on_as_if_it_had_not_been(recipe: Recipe, tmp_path: Path) -> None:
    straight = tune(recipe, trials=3, folder=tmp_path / "straight", space=SPACE)
    with pytest.raises(KeyboardInterrupt):
        tune(recipe, trials=3, folder=tmp_path / "stopped", space=SPACE, listener=Listener(kill_in=1))
    listener = Listener()
    stopped = tune(recipe, trials=3, folder=tmp_path / "stopped", space=SPACE, listener=listener)
    assert [index for index, _ in listener.heard] == [1, 2]
    assert without_times(stopped.trials) == without_times(straight.trials)
    more = tune(recipe, trials=4, folder=tmp_path / "stopped", space=SPACE)
    assert without_times(more.trials[:3]) == without_times(straight.trials)


def test_the_best_trials_become_an_ensemble(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "tune"
    result = tune(recipe, trials=2, folder=folder, space=SPACE, average=2)
    ensemble = RunFolder.open(folder / "average-2")
    names = [f"{trial.index:03d}" for trial in ranked(result.trials)]
    assert [member.name for member in member_folders(ensemble.path)] == names
    assert set(ensemble.result().metrics) == {"valid", "test"}
    before = (ensemble.path / "result.json").stat().st_mtime_ns
    tune(recipe, trials=2, folder=folder, space=SPACE, average=2)
    assert (ensemble.path / "result.json").stat().st_mtime_ns == before
    tune(recipe, trials=3, folder=folder, space=SPACE, average=2)
    with pytest.raises(SettingsError, match=r"average must be at least 2 and at most 4, .* but 5 was given"):
        tune(recipe, trials=4, folder=folder, space=SPACE, average=5)


def test_a_folder_of_another_tuning_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "tune"
    tune(recipe, trials=1, folder=folder, space=SPACE)
    other_space = {"training.learning_rate": {"log": [1e-4, 1e-2]}}
    for space, seed, what in [(SPACE, 2, "another seed"), (other_space, 1, "another space")]:
        with pytest.raises(RunError, match=f"holds a tuning with {what}; remove it, or name another"):
            tune(recipe, trials=2, folder=folder, space=space, seed=seed)
    with pytest.raises(RunError, match="holds a tuning with another recipe"):
        tune(with_overrides(recipe, {"training.seed": 9}), trials=2, folder=folder, space=SPACE)
    tune(with_overrides(recipe, {"training.execution.threads": 1}), trials=1, folder=folder, space=SPACE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(RunError, match="other holds something else"):
        tune(recipe, trials=1, folder=tmp_path / "other", space=SPACE)


def test_draws_that_do_not_fit_count_as_trials_and_a_space_of_these_alone_is_refused(
    recipe: Recipe, tmp_path: Path
) -> None:
    split = with_overrides(recipe, {"model.tokenizer": {"kind": "split"}})
    space = {"model.num_tokens": {"one_of": [97, 101]}}  # neither divides the width of all embeddings
    with pytest.raises(
        SettingsError, match=r"space must draw settings that fit the data, but none of the 5 .*must divide"
    ):
        tune(split, trials=8, folder=tmp_path / "tune", space=space)


def test_without_optuna_the_way_out_is_named(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_module, "find_spec", lambda _: None)
    with pytest.raises(
        SettingsError, match=r"optuna must be installed to tune, but it is not; try pip install .*\[tune\]"
    ):
        tune(recipe, trials=1, folder=tmp_path / "tune")
