"""An ensemble is one run: the mean of its members' logits, calibrated; its members are runs of their own."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import expit, logit
from tests.training.resumed_runs import EVERY_STEP, KilledError, assert_same, without_times

from rankelastor.ensembles.member_events import EventSender
from rankelastor.ensembles.train import train_ensemble
from rankelastor.errors import RunError, SettingsError
from rankelastor.evaluation.evaluate import evaluate, evaluate_with_unseen
from rankelastor.folder_lock import lock_folder
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.weights import read_weights
from rankelastor.serving.embeddings import export_embeddings
from rankelastor.serving.predict import predict
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.spectrum.runs.groups import group_runs
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.training.observers import Step
from rankelastor.training.repeat import repeat_run
from rankelastor.training.run import TrainedRun

FRAME = pl.DataFrame({"item": list(range(60))})


def members_of(run: TrainedRun) -> list[Path]:
    return [run.folder / "members" / f"seed-{seed}" for seed in (1, 2, 3)]


def test_probabilities_come_from_the_calibrated_mean_of_the_logits(ensemble: TrainedRun) -> None:
    logits = [logit(predict_proba(member, FRAME)) for member in members_of(ensemble)]
    calibrator = load_run(ensemble.folder).calibration.choices["click"].calibrator
    expected = expit(calibrator(np.mean(logits, axis=0)))
    assert predict_proba(ensemble.folder, FRAME) == pytest.approx(expected, abs=1e-9)
    assert ensemble.predict_proba(FRAME) == pytest.approx(expected, abs=1e-9)


def test_a_file_gets_the_same_probabilities(ensemble: TrainedRun, tmp_path: Path) -> None:
    FRAME.write_csv(tmp_path / "new.csv")
    predict(ensemble.folder, tmp_path / "new.csv", tmp_path / "out.csv", report=tmp_path / "report.json")
    written = pl.read_csv(tmp_path / "out.csv")["probability"].to_numpy()
    assert written == pytest.approx(predict_proba(ensemble.folder, FRAME), abs=1e-12)
    assert json.loads((tmp_path / "report.json").read_text())["valid"]["click"]["num_rows"] == 900


def test_the_mean_is_calibrated_and_no_member(ensemble: TrainedRun) -> None:
    assert ensemble.result.calibrators["click"].kind == "platt"
    for member in members_of(ensemble):
        assert not (member / "calibration.json").exists()
        assert RunFolder(member).recipe().training.calibration.kind == "none"
    figures = ensemble.result.calibration["test"]
    assert figures.after["logloss"] < figures.before["logloss"]
    assert figures.after["auc"] == figures.before["auc"] == ensemble.result.test["auc"]


def test_a_split_is_evaluated_as_in_the_result(ensemble: TrainedRun) -> None:
    for split in ("valid", "test"):
        assert evaluate(ensemble.folder, split=split).as_dict() == ensemble.result.metrics[split]


def test_members_are_shown_with_their_metrics(ensemble: TrainedRun) -> None:
    evaluated = evaluate_with_unseen(ensemble.folder)
    assert list(evaluated.members) == ["seed-1", "seed-2", "seed-3"]
    for figures, folder in zip(ensemble.result.members, members_of(ensemble), strict=True):
        own = RunFolder(folder).result()
        assert figures.metrics["test"] == evaluated.members[figures.name].as_dict() == own.test
        assert (figures.seed, figures.best_epoch, figures.folder) == (
            own.seed,
            own.best_epoch,
            f"members/{folder.name}",
        )


def test_labelled_rows_show_the_members_too(ensemble: TrainedRun) -> None:
    labelled = FRAME.with_columns(click=pl.Series([0, 1] * 30))
    evaluated = evaluate_with_unseen(ensemble.folder, on=labelled)
    for name, metrics in evaluated.members.items():
        alone = evaluate(ensemble.folder / "members" / name, on=labelled)
        assert metrics.value("logloss") == pytest.approx(alone.value("logloss"), abs=1e-9)


def test_a_member_is_a_run_of_its_own(ensemble: TrainedRun) -> None:
    for seed, member in enumerate(members_of(ensemble), start=1):
        assert RunFolder(member).recipe().training.seed == seed
        assert evaluate(member).as_dict() == RunFolder(member).result().test


def test_costs_are_those_of_all_members(ensemble: TrainedRun) -> None:
    result, first = ensemble.result, RunFolder(members_of(ensemble)[0]).result()
    assert result.cost.dense_parameters == 3 * first.cost.dense_parameters
    assert ensemble.ranker.num_dense_parameters == result.cost.dense_parameters
    assert result.summary.startswith("ensemble of 3 mlp, valid AUC 0.")


def test_the_result_is_read_back(ensemble: TrainedRun) -> None:
    assert RunFolder.open(ensemble.folder).result() == ensemble.result


def test_the_log_names_the_members(ensemble: TrainedRun) -> None:
    log = (ensemble.folder / "train.log").read_text()
    assert "seed-2  epoch 1/3" in log
    assert "calibration: platt" in log


def test_going_on_trains_the_members_that_are_missing(
    ensemble: TrainedRun, item_recipe: Recipe, tmp_path: Path
) -> None:
    folder = tmp_path / "stopped"
    shutil.copytree(ensemble.folder, folder)
    for name in ("result.json", "calibration.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "members" / "seed-3")
    kept = (folder / "members" / "seed-1" / "result.json").stat().st_mtime_ns
    again = train_ensemble(item_recipe, folder=folder, num_processes=1)
    assert (folder / "members" / "seed-1" / "result.json").stat().st_mtime_ns == kept
    assert again.result.metrics == ensemble.result.metrics
    assert again.result.seconds > sum(
        RunFolder(folder / "members" / f"seed-{seed}").result().seconds for seed in (1, 2)
    )
    weights = [read_weights(RunFolder(run / "members" / "seed-3").best_weights) for run in (folder, ensemble.folder)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_killed_inside_a_member_it_ends_like_one_that_was_not(
    ensemble: TrainedRun, item_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RunFolder(members_of(ensemble)[0]).result().steps  # of one member
    in_second = whole // 2
    steps: list[int] = []

    class Dying(EventSender):
        """Notes the steps of all members, and stops in the second epoch of the second member, once."""

        is_dead = False

        def on_step(self, step: Step) -> None:
            steps.append(step.index)
            if len(steps) == whole + in_second and not Dying.is_dead:
                Dying.is_dead = True
                raise KilledError

    monkeypatch.setattr("rankelastor.ensembles.member_process.EventSender", Dying)
    recipe = with_overrides(item_recipe, EVERY_STEP)
    with pytest.raises(KilledError):
        train_ensemble(recipe, folder=tmp_path / "parts", num_processes=1)
    steps.clear()
    again = train_ensemble(recipe, folder=tmp_path / "parts", num_processes=1)
    assert steps == [*range(in_second, whole + 1), *range(1, whole + 1)]  # the rest of the second, and the third
    for one, other in zip(members_of(ensemble), members_of(again), strict=True):
        assert_same(one, other)
    results = [json.loads((run.folder / "result.json").read_text()) for run in (ensemble, again)]
    assert without_times(results[0]) == without_times(results[1])
    calibrations = [(run.folder / "calibration.json").read_text() for run in (ensemble, again)]
    assert calibrations[0] == calibrations[1]


def test_another_ensemble_in_the_folder_is_refused(ensemble: TrainedRun, item_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"must be new, but .*ensemble holds a finished ensemble; remove it, or name"):
        train_ensemble(item_recipe, folder=ensemble.folder, num_processes=1)
    folder = tmp_path / "stopped"
    shutil.copytree(ensemble.folder, folder)
    (folder / "result.json").unlink()
    with pytest.raises(RunError, match="holds an unfinished ensemble of seed-1, seed-2, seed-3"):
        train_ensemble(item_recipe, seeds=2, folder=folder, num_processes=1)
    with pytest.raises(RunError, match=r"of other settings: training\.batch_size was 64 there and is 32 here"):
        train_ensemble(with_overrides(item_recipe, {"training.batch_size": 32}), folder=folder, num_processes=1)


def test_one_process_at_a_time_trains_an_ensemble(ensemble: TrainedRun, item_recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    shutil.copytree(ensemble.folder, folder)
    (folder / "result.json").unlink()
    with lock_folder(folder), pytest.raises(RunError, match=r"but another one trains .*stopped; wait for its end"):
        train_ensemble(item_recipe, folder=folder, num_processes=1)


def test_a_missing_member_is_named(ensemble: TrainedRun, tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    shutil.copytree(ensemble.folder, folder)
    shutil.rmtree(folder / "members" / "seed-2")
    with pytest.raises(
        RunError, match=r"must have all of its members, but .*seed-2 has no weights; train .*stopped again"
    ):
        load_run(folder)


def test_nothing_is_left_of_an_ensemble_that_cannot_begin(item_recipe: Recipe, tmp_path: Path) -> None:
    diverging = with_overrides(item_recipe, {"training.learning_rate": 1e30})
    with pytest.raises(RunError, match="loss"):
        train_ensemble(diverging, seeds=2, folder=tmp_path / "run", num_processes=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("seeds", "message"), [(1, "at least 2 seeds, but 1 was given"), ([4, 4], r"must differ, but \[4, 4\] were given")]
)
def test_seeds_must_be_several_and_differ(
    seeds: int | list[int], message: str, item_recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        train_ensemble(item_recipe, seeds=seeds, folder=tmp_path / "run")


def test_members_have_what_was_chosen_for_the_data(tiny: Recipe, tmp_path: Path) -> None:
    values = {"name": "chosen", "version": 2, "data": tiny.data, "model": {"kind": "mlp"}, "training": {"epochs": 1}}
    recipe = recipe_from_values(values)
    run = train_ensemble(recipe, seeds=2, folder=tmp_path / "run", num_processes=1)
    assert run.result.calibrators["click"].kind == "none"  # ten rows are too few for what auto asks for
    members = [member.folder for member in load_run(run.folder).members]
    settings = [RunFolder(place).recipe() for place in (run.folder, *members)]
    assert [each.training.calibration.kind for each in settings] == ["auto", "none", "none"]
    assert len({each.training.batch_size for each in settings}) == 1
    (run.folder / "result.json").unlink()
    assert train_ensemble(recipe, seeds=2, folder=run.folder, num_processes=1).result.metrics == run.result.metrics


def test_the_spectrum_is_that_of_the_members(tiny: Recipe, tmp_path: Path) -> None:
    run = train_ensemble(tiny, seeds=[5, 9], folder=tmp_path / "run", num_processes=1)
    spectrum = measure_run(run.folder, num_examples=10)
    assert [seed.seed for seed in spectrum.seeds] == [5, 9]
    assert (spectrum.name, spectrum.test_auc) == ("run", run.result.test["auc"])
    with pytest.raises(RunError, match="is an ensemble, whose members are a group already; leave grouping out"):
        group_runs([run.folder])


def test_verbs_for_single_models_name_the_members(ensemble: TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is an ensemble; try one of its members, .*seed-1"):
        export_embeddings(ensemble.folder, tmp_path / "vectors")
    with pytest.raises(RunError, match=r"is an ensemble; repeat its members, such as .*seed-1"):
        repeat_run(ensemble.folder)
