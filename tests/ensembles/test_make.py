"""Finished runs on the same data become one; runs on other data are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from rankelastor.ensembles.make import make_ensemble
from rankelastor.errors import RunError, SettingsError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.ensemble_folder import FILE_NAME, member_folders
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.verify import verify
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.training.run import TrainedRun, train

FRAME = pl.DataFrame({"item": list(range(60))})


@pytest.fixture(scope="module")
def pair(item_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of different models on the same data, one calibrated, one trained with weighted positives."""
    folder = tmp_path_factory.mktemp("pair")
    calibrated = with_overrides(item_recipe, {"training.epochs": 2})
    values = calibrated.model_dump(mode="json")
    values["model"] = {"kind": "logistic_regression"}
    values["training"] |= {"calibration": {"kind": "none"}, "positive_weight": 3.0}
    return [
        train(made, folder=folder / name).folder
        for name, made in (("mlp", calibrated), ("linear", recipe_from_values(values)))
    ]


@pytest.fixture(scope="module")
def both(pair: list[Path], tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    return make_ensemble(pair, tmp_path_factory.mktemp("made") / "both")


def test_models_of_different_kinds_and_odds_are_averaged_without_their_calibrations(
    pair: list[Path], both: TrainedRun
) -> None:
    calibrators = [load_run(each).calibration.choices["click"].calibrator for each in (pair[0], both.folder)]
    scores = [logit(predict_proba(each, FRAME)) for each in pair]
    slope, offset = calibrators[0].as_dict()["slope"], calibrators[0].as_dict()["offset"]
    scores[0] = (scores[0] - offset) / slope  # the mean knows nothing of the member's own calibration
    expected = expit(calibrators[1](np.mean(scores, axis=0)))
    assert predict_proba(both.folder, FRAME) == pytest.approx(expected, abs=1e-6)


def test_the_result_names_both_models(both: TrainedRun) -> None:
    assert both.result.model == "mlp + logistic_regression"
    assert [member.name for member in both.result.members] == ["mlp", "linear"]
    assert evaluate(both.folder).as_dict() == both.result.test
    assert RunFolder.open(both.folder).result() == both.result


def test_the_calibration_can_be_chosen(pair: list[Path], tmp_path: Path) -> None:
    made = make_ensemble(pair, tmp_path / "made", calibration="none")
    assert not made.result.calibrators
    assert RunFolder(made.folder).recipe().training.calibration.kind == "none"


def test_runs_are_copied(pair: list[Path], both: TrainedRun) -> None:
    for folder in pair:
        copied = both.folder / "members" / folder.name
        assert (copied / "result.json").read_bytes() == (folder / "result.json").read_bytes()
        assert evaluate(copied).as_dict() == evaluate(folder).as_dict()


def test_runs_on_other_data_are_refused(pair: list[Path], item_recipe: Recipe, tmp_path: Path) -> None:
    other = with_overrides(
        item_recipe, {"data.split.seed": 7, "data.prepared": str(tmp_path / "prep"), "training.epochs": 1}
    )
    run = train(other, folder=tmp_path / "other")
    with pytest.raises(RunError, match=r"same prepared data, but .*other was not trained on those of .*mlp: another"):
        make_ensemble([pair[0], run.folder], tmp_path / "made")
    assert not (tmp_path / "made").exists()
    broken = tmp_path / "broken"
    shutil.copytree(pair[0], broken / "members" / "mlp")
    shutil.copytree(run.folder, broken / "members" / "other")
    for name in ("config.yaml", "environment.json", "checksums.json", "features"):
        source = pair[1] / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, broken / name)
    listed = {"format_version": 1, "members": ["members/mlp", "members/other"]}
    (broken / FILE_NAME).write_text(json.dumps(listed))
    with pytest.raises(RunError, match=r"same prepared data, but .*other was not"):
        load_run(broken)


def test_runs_that_disagree_on_thinned_negatives_are_refused(
    pair: list[Path], item_recipe: Recipe, tmp_path: Path
) -> None:
    run = train(with_overrides(item_recipe, {"data.negatives_kept": 0.5, "training.epochs": 1}), folder=tmp_path / "x")
    with pytest.raises(RunError, match=r"data\.negatives_kept is 1\.0 in .*mlp and 0\.5 in .*x"):
        make_ensemble([pair[0], run.folder], tmp_path / "made")


def test_what_is_no_finished_single_run_is_refused(pair: list[Path], both: TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is an ensemble itself; try its members, .*members/\*"):
        make_ensemble([both.folder, pair[0]], tmp_path / "made")
    with pytest.raises(SettingsError, match="at least 2 runs, but 1 was given"):
        make_ensemble(pair[:1], tmp_path / "made")
    with pytest.raises(SettingsError, match=r"must be given once, but .*mlp was given twice"):
        make_ensemble([pair[0], pair[0]], tmp_path / "made")
    with pytest.raises(RunError, match="does not exist"):
        make_ensemble([pair[0], tmp_path / "nowhere"], tmp_path / "made")
    with pytest.raises(RunError, match=r"must be new, but .*both exists"):
        make_ensemble(pair, both.folder)
    unfinished = tmp_path / "unfinished"
    shutil.copytree(pair[0], unfinished)
    (unfinished / "result.json").unlink()
    with pytest.raises(RunError, match="it was stopped early"):
        make_ensemble([unfinished, pair[1]], tmp_path / "made")


def test_different_models_have_no_common_spectrum(both: TrainedRun) -> None:
    with pytest.raises(SettingsError, match="must have members of one model to have a spectrum"):
        measure_run(both.folder, num_examples=10)


def test_every_file_of_an_ensemble_is_verified(both: TrainedRun, tmp_path: Path) -> None:
    whole = verify(both.folder)
    assert whole.is_whole
    assert not whole.unchecked
    for number, (name, where) in enumerate(
        [
            ("calibration.json", "calibration.json"),
            ("ensemble.json", "ensemble.json"),
            ("members/linear/checkpoints/best.safetensors", "members/linear/checkpoints/best.safetensors"),
        ]
    ):
        folder = tmp_path / str(number)
        shutil.copytree(both.folder, folder)
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        assert where in verify(folder).damage
        with pytest.raises(RunError):
            load_run(folder)
    shutil.rmtree(tmp_path / "0" / "members" / "mlp")
    assert verify(tmp_path / "0").damage["members/mlp"] == "it does not exist"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format_version": 1, "members": []}',
        '{"format_version": 1, "members": ["../x"]}',
        '{"format_version": 1, "members": ["/x"]}',
        '{"format_version": 1, "members": [3]}',
    ],
)
def test_a_damaged_list_of_members_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(RunError, match=r"ensemble\.json must list the members of an ensemble"):
        member_folders(tmp_path)


def test_a_newer_list_of_members_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"format_version": 2, "members": ["a"]}')
    with pytest.raises(RunError, match="a newer version of rankelastor wrote it"):
        member_folders(tmp_path)
