"""Calibration by valid, from training to prediction: stored with the run, applied everywhere, reported."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit
from tests.training.item_log import recipe, write_log

from rankelastor.calibration.calibrators import AffineCalibrator
from rankelastor.errors import RunError, SettingsError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.runs.run_folder import RunFolder
from rankelastor.serving.predict import predict
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.serving.serving_run import load_run
from rankelastor.training.run import TrainedRun, train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainedRun]:
    """Runs that differ in their calibration alone."""
    folder = tmp_path_factory.mktemp("runs")
    write_log(folder)
    return {kind: train(recipe(folder, kind), folder=folder / kind) for kind in ("none", "auto", "isotonic", "offset")}


def test_auto_mends_over_confident_probabilities(runs: dict[str, TrainedRun]) -> None:
    result, before = runs["auto"].result, runs["none"].result
    figures = result.calibrators["click"]
    assert figures.kind == "platt"
    assert figures.slope is not None
    assert 0 < figures.slope < 0.9
    for split in ("valid", "test"):
        assert result.metrics[split]["logloss"] < before.metrics[split]["logloss"] - 0.005
        assert result.metrics[split]["auc"] == before.metrics[split]["auc"]
        assert result.calibration[split].before["logloss"] == before.metrics[split]["logloss"]
        assert result.calibration[split].before["auc"] == before.metrics[split]["auc"]
        assert result.calibration[split].after["logloss"] == result.metrics[split]["logloss"]
        assert result.calibration[split].corrected is None
    assert result.best_epoch == before.best_epoch


def test_isotonic_reports_the_auc_that_it_changes(runs: dict[str, TrainedRun]) -> None:
    result = runs["isotonic"].result
    assert result.calibrators["click"].kind == "isotonic"
    assert result.calibrators["click"].slope is None
    assert result.calibration["test"].before["auc"] != result.calibration["test"].after["auc"] == result.test["auc"]


def test_an_offset_makes_the_mean_probability_of_valid_the_label_rate(runs: dict[str, TrainedRun]) -> None:
    assert runs["offset"].result.valid["calibration_ratio"] == 1


def test_no_calibration_leaves_no_trace(runs: dict[str, TrainedRun]) -> None:
    run = runs["none"]
    assert not run.result.calibrators
    assert not run.result.calibration
    assert not (run.folder / "calibration.json").exists()
    assert not {"calibration", "calibrators"} & run.result.as_dict().keys()


@pytest.mark.parametrize("kind", ["auto", "isotonic", "offset"])
def test_every_scorer_applies_it(kind: str, runs: dict[str, TrainedRun], tmp_path: Path) -> None:
    run = runs[kind]
    assert evaluate(run.folder).as_dict() == run.result.test
    assert evaluate(run.folder, split="valid").as_dict() == run.result.valid
    frame = pl.DataFrame({"item": list(range(40))})
    frame.write_csv(tmp_path / "new.csv")
    predict(run.folder, tmp_path / "new.csv", tmp_path / "out.csv")
    written = pl.read_csv(tmp_path / "out.csv")["probability"].to_numpy()
    plain = predict_proba(runs["none"].folder, frame)
    calibrator = load_run(run.folder).calibration.choices["click"].calibrator
    assert written == pytest.approx(expit(calibrator(logit(plain))), abs=1e-7)
    assert load_run(run.folder).predict_proba(frame) == pytest.approx(written, abs=1e-12)
    assert run.predict_proba(frame) == pytest.approx(written, abs=1e-12)
    labelled = pl.DataFrame({"item": list(range(40)), "click": [0, 1] * 20})
    expected = -np.log(np.where(np.arange(40) % 2, written, 1 - written)).mean()
    assert evaluate(run.folder, on=labelled).value("logloss") == pytest.approx(expected, abs=1e-7)


def test_the_result_is_read_back(runs: dict[str, TrainedRun]) -> None:
    for run in runs.values():
        assert RunFolder.open(run.folder).result() == run.result


def test_a_damaged_calibration_is_refused(runs: dict[str, TrainedRun]) -> None:
    path = runs["auto"].folder / "calibration.json"
    whole = path.read_text()
    path.write_text(whole[:20])
    with pytest.raises(RunError, match=r"calibration\.json must be whole, but it has 20 bytes"):
        load_run(runs["auto"].folder)
    path.write_text(whole)


def test_the_correction_for_thinned_negatives_comes_first(tmp_path: Path) -> None:
    write_log(tmp_path)
    run = train(recipe(tmp_path, "platt", negatives_kept=0.3, positive_weight=2.0), folder=tmp_path / "run")
    figures = run.result.calibration["valid"]
    assert figures.corrected is not None
    assert figures.before["calibration_ratio"] > 1.6  # odds of training
    assert figures.corrected["calibration_ratio"] == pytest.approx(1, abs=0.25)
    assert figures.after["calibration_ratio"] == pytest.approx(1, abs=0.01)
    assert figures.after["logloss"] < figures.corrected["logloss"]
    calibrator = load_run(run.folder).calibration.choices["click"].calibrator
    assert isinstance(calibrator, AffineCalibrator)
    assert abs(calibrator.offset) < 0.5  # ln(.3 / 2) = -1.9 is not left to it


def test_negatives_of_a_log_that_was_thinned_before_count_as_those_left_out(tmp_path: Path) -> None:
    write_log(tmp_path)
    run = train(recipe(tmp_path, "offset", data={"negatives_kept": 0.5}), folder=tmp_path / "run")
    assert run.result.valid["calibration_ratio"] == 1


def test_each_task_has_its_own_calibrator(tmp_path: Path) -> None:
    write_log(tmp_path)
    made = recipe(tmp_path, "platt", data={"label": None, "labels": {"click": "click", "like": "like"}}, epochs=3)
    run = train(made, folder=tmp_path / "run")
    assert list(run.result.calibrators) == ["click", "like"]
    slopes = [figures.slope for figures in run.result.calibrators.values()]
    assert slopes[0] != slopes[1]
    assert evaluate(run.folder).as_dict() == run.result.test


@pytest.mark.parametrize(
    ("num_rows", "rate", "kind", "reason"),
    [(150, 0.3, "offset", "fewer than 50 of one, which allows an offset alone"), (40, 0.3, "none", "fewer than 10")],
)
def test_a_small_valid_split_is_said(num_rows: int, rate: float, kind: str, reason: str, tmp_path: Path) -> None:
    write_log(tmp_path, num_rows=num_rows, rate=rate)
    run = train(recipe(tmp_path, "platt", monitor="logloss", epochs=1), folder=tmp_path / "run")
    figures = run.result.calibrators["click"]
    assert figures.kind == kind
    assert figures.reason is not None
    assert reason in figures.reason
    written = json.loads((run.folder / "result.json").read_text())["calibrators"]["click"]
    assert written["reason"] == figures.reason
    log = (run.folder / "train.log").read_text()
    assert figures.reason in log


def test_one_class_with_weight_in_valid_calibrates_nothing(tmp_path: Path) -> None:
    frame = write_log(tmp_path, num_rows=600).with_columns(w=pl.lit(1))
    for name, rows in (("train", frame), ("valid", frame.with_columns(w=1 - pl.col("click")))):
        rows.write_csv(tmp_path / f"{name}.csv")
    files = {"folder": str(tmp_path), "train": "train.csv", "valid": "valid.csv"}
    made = recipe(tmp_path, "auto", data={"files": files, "split": None, "weight": "w"}, monitor="logloss", epochs=1)
    run = train(made, folder=tmp_path / "run")
    assert run.result.calibrators["click"].kind == "none"
    assert run.result.calibrators["click"].num_positive == 0


def test_the_log_of_the_run_says_what_was_fitted(runs: dict[str, TrainedRun]) -> None:
    assert "calibration: platt, logits are multiplied by 0." in (runs["auto"].folder / "train.log").read_text()


def test_an_unknown_kind_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"training\.calibration\.kind must be .*isotonic"):
        recipe(tmp_path, "beta")


def test_old_recipes_ask_for_none(tmp_path: Path) -> None:
    assert recipe(tmp_path, None).training.calibration.kind == "none"
