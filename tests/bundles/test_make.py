"""Tests that a bundle scores as its run does, anywhere, and holds what it says."""

import json
import math
import shutil
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import logit
from tests.bundles.bundled_runs import tiny_recipe, tiny_run
from tests.conftest import tiny_values, write_clicks

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.bundles.staging import seal
from rankelastor.bundles.verify import verify_bundle
from rankelastor.calibration.calibration import Calibration
from rankelastor.calibration.calibrators import AffineCalibrator
from rankelastor.calibration.choice import CalibratorChoice
from rankelastor.ensembles.make import make_ensemble
from rankelastor.errors import DataError, RunError, SettingsError, StorageError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.runs.load import load_run
from rankelastor.serving.predict import predict
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.training.run import train

QUICK = BundleOptions(measure=False)
ROWS = pl.DataFrame({"site": ["a", "b", "nowhere"], "device": ["phone", "tablet", "phone"], "price": [1.5, None, 0.1]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log, a calibrated ``run`` and ``model.rank``, a bundle of it."""
    folder = tmp_path_factory.mktemp("bundles")
    tiny_run(folder, calibration={"kind": "platt"})
    bundle_run(folder / "run", folder / "model.rank")
    return folder


@pytest.fixture
def moved(folder: Path, tmp_path: Path) -> Path:
    """The bundle alone, elsewhere."""
    return Path(shutil.copy(folder / "model.rank", tmp_path / "moved.rank"))


def test_a_bundle_scores_bit_for_bit_as_its_run(folder: Path, moved: Path, tmp_path: Path) -> None:
    expected = predict_proba(folder / "run", ROWS)
    np.testing.assert_array_equal(predict_proba(moved, ROWS), expected)
    rows = folder / "log" / "test.csv"
    for number, run in enumerate([folder / "run", moved]):
        predict(run, rows, tmp_path / f"{number}.csv")
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()
    assert evaluate(moved, on=rows) == evaluate(folder / "run", on=rows)


def test_equal_runs_give_equal_bundles(folder: Path, tmp_path: Path) -> None:
    for name in ("a.rank", "b.rank"):
        bundle_run(folder / "run", tmp_path / name, options=QUICK)
    assert (tmp_path / "a.rank").read_bytes() == (tmp_path / "b.rank").read_bytes()


def test_the_spectrum_of_a_bundle_is_measured_over_its_rows_or_others(folder: Path, moved: Path) -> None:
    over_own = measure_run(moved)
    assert (over_own.name, over_own.folder, over_own.num_examples) == ("moved", str(moved), 10)
    assert "Only the 10 example rows of the bundle are measured" in over_own.problems
    over_others = measure_run(moved, on=folder / "log" / "test.csv")
    over_split = measure_run(folder / "run", split="test")
    expected, found = (each.trajectories["stable_rank"].stages for each in (over_split, over_others))
    assert [stage.mean for stage in found] == pytest.approx([stage.mean for stage in expected])


def test_the_card_tells_what_is_inside_and_how_good_it_is(folder: Path) -> None:
    card = zipfile.ZipFile(folder / "model.rank").read("card.md").decode()
    for said in (
        "which predicts `click` as a probability",
        "- 10 rows of the log in clear text",
        "| test | 10 | 0.500000 |",
        "(DeLong)",
        "has not collapsed",
        "Calibration: `none`",
        "| site | 0.00 % | 0.00 % |",
        "dense parameters",
    ):
        assert said in card, said


def test_the_folders_of_this_machine_are_not_told(folder: Path, ensemble: Path, tmp_path: Path) -> None:
    bundle_run(ensemble, tmp_path / "both.rank", options=QUICK)
    for path in (folder / "model.rank", tmp_path / "both.rank"):
        with zipfile.ZipFile(path) as packed:
            telling = [name for name in packed.namelist() if str(folder.parent).encode() in packed.read(name)]
            assert not telling
            assert "prepared" not in json.loads(packed.read("run/environment.json"))
        data = load_run(path).recipe.data
        assert (data.prepared, data.files.folder) == ("prepared", "log")


def test_neither_the_raw_data_nor_the_prepared_folder_nor_the_run_is_needed(tmp_path: Path) -> None:
    """A run with averaged weights, whose probabilities are those of the average."""
    for name, settings in (("plain", {}), ("averaged", {"averaged_weights": {"decay": 0.9}})):
        (tmp_path / name).mkdir()
        tiny_run(tmp_path / name, epochs=2, calibration={"kind": "none"}, **settings)
    made = tmp_path / "averaged"
    bundle_run(made / "run", tmp_path / "alone.rank")
    expected = predict_proba(made / "run", ROWS)
    assert not np.array_equal(expected, predict_proba(tmp_path / "plain" / "run", ROWS))
    for name in ("log", "prepared", "run"):
        (made / name).rename(made / f"{name}-elsewhere")
    np.testing.assert_array_equal(predict_proba(tmp_path / "alone.rank", ROWS), expected)
    assert "10 example rows have the same probabilities" in verify_bundle(tmp_path / "alone.rank").scores
    assert measure_run(tmp_path / "alone.rank").num_examples == 10
    rows = made / "log-elsewhere" / "test.csv"
    assert evaluate(tmp_path / "alone.rank", on=rows).as_dict()["num_examples"] == 10


def test_hashed_vocabularies_hide_values_and_score_the_same(folder: Path, tmp_path: Path) -> None:
    index = bundle_run(
        folder / "run", tmp_path / "h.rank", options=BundleOptions(hash_vocabularies=True, measure=False)
    )
    assert (index.hashed_vocabularies, index.num_examples) == (True, 0)
    np.testing.assert_array_equal(predict_proba(tmp_path / "h.rank", ROWS), predict_proba(folder / "run", ROWS))
    values = load_run(tmp_path / "h.rank").encoder.vocabularies["device"].values.to_list()
    assert all(len(value) == 32 for value in values)
    assert b"tablet" not in (tmp_path / "h.rank").read_bytes()
    assert verify_bundle(tmp_path / "h.rank").scores == "it holds no example rows to score again"
    with pytest.raises(SettingsError, match=r"example rows hold the values that hashes hide, but both were asked for"):
        bundle_run(folder / "run", tmp_path / "i.rank", rows=ROWS, options=BundleOptions(hash_vocabularies=True))
    assert "among values that occur equally often the order is" in zipfile.ZipFile(tmp_path / "h.rank").read(
        "card.md"
    ).decode().replace("\n", " ")


def test_a_bundle_with_hashes_that_is_bundled_again_keeps_them(folder: Path, tmp_path: Path) -> None:
    hashing = BundleOptions(hash_vocabularies=True, measure=False)
    bundle_run(folder / "run", tmp_path / "h.rank", options=hashing)
    for number, options in enumerate((QUICK, hashing)):
        again = tmp_path / f"{number}.rank"
        index = bundle_run(tmp_path / "h.rank", again, options=options)
        assert (index.hashed_vocabularies, index.num_examples) == (True, 0)
        assert "Salted hashes of" in zipfile.ZipFile(again).read("card.md").decode()
        np.testing.assert_array_equal(predict_proba(again, ROWS), predict_proba(folder / "run", ROWS))
    with pytest.raises(SettingsError, match=r"example rows hold .* but hashes were made before; leave the rows out"):
        bundle_run(tmp_path / "h.rank", tmp_path / "i.rank", rows=ROWS, options=QUICK)


def test_a_bundle_that_is_bundled_again_keeps_its_rows(moved: Path, tmp_path: Path) -> None:
    assert bundle_run(moved, tmp_path / "again.rank", options=QUICK).num_examples == 10
    with zipfile.ZipFile(moved) as first, zipfile.ZipFile(tmp_path / "again.rank") as second:
        for name in ("examples/rows.parquet", "examples/scores.json", "run/checkpoints/best.safetensors"):
            assert first.read(name) == second.read(name), name


def test_rows_can_be_left_out_or_named(folder: Path, tmp_path: Path) -> None:
    left_out = bundle_run(
        folder / "run", tmp_path / "n.rank", options=BundleOptions(with_examples=False, measure=False)
    )
    assert left_out.num_examples == 0
    assert not any(name.startswith("examples/") for name in zipfile.ZipFile(tmp_path / "n.rank").namelist())
    named = bundle_run(folder / "run", tmp_path / "r.rank", rows=ROWS, options=QUICK)
    assert named.num_examples == 3
    with pytest.raises(RunError, match=r"must hold example rows to be measured, but .*n.rank holds none; name rows"):
        measure_run(tmp_path / "n.rank")
    with pytest.raises(DataError, match=r"price"):
        bundle_run(folder / "run", tmp_path / "x.rank", rows=ROWS.drop("price"), options=QUICK)
    assert not (tmp_path / "x.rank").exists()


def test_sampled_negatives_divide_the_odds_after_the_calibration(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run", tmp_path / "run")
    halved = CalibratorChoice("platt", AffineCalibrator(0.5, 0.25))
    Calibration({"click": halved}).write(tmp_path / "run")
    seal(tmp_path / "run")
    bundle_run(tmp_path / "run", tmp_path / "c.rank", options=QUICK)
    options = BundleOptions(sampled_negatives=0.1, measure=False)
    bundle_run(tmp_path / "run", tmp_path / "s.rank", options=options)
    plain, before, after = (
        logit(predict_proba(path, ROWS)) for path in (folder / "run", tmp_path / "c.rank", tmp_path / "s.rank")
    )
    np.testing.assert_allclose(before, 0.5 * plain + 0.25, rtol=1e-9)
    np.testing.assert_allclose(after, before + math.log(0.1), rtol=1e-9)
    card = zipfile.ZipFile(tmp_path / "s.rank").read("card.md").decode()
    assert "Calibration: `platt`" in card
    assert "held 10 % of its negatives" in card
    with pytest.raises(SettingsError, match=r"above 0 and at most 1, but 10 was given"):
        bundle_run(folder / "run", tmp_path / "t.rank", options=BundleOptions(sampled_negatives=10))


def test_sampled_negatives_of_several_labels_are_refused(tmp_path: Path) -> None:
    values = tiny_values(write_clicks(tmp_path), prepared=tmp_path / "prepared")
    del values["data"]["label"]
    values["data"]["labels"] = {"click": "click", "dear": {"column": "device", "positive": "tablet"}}
    values["data"]["fields"][0]["column"] = ["site"]
    values["model"]["num_tokens"] = 2
    values["training"]["epochs"] = 1
    run = train(recipe_from_values(values), folder=tmp_path / "run").folder
    with pytest.raises(
        SettingsError, match=r"needs a single label, but .*run has 2: rows that are negative for one may"
    ):
        bundle_run(run, tmp_path / "s.rank", options=BundleOptions(sampled_negatives=0.1, measure=False))


@pytest.fixture(scope="module")
def ensemble(folder: Path) -> Path:
    """An ensemble of two runs on the same prepared data."""
    place = folder / "members"
    place.mkdir()
    recipe = tiny_recipe(place)
    for seed in (1, 2):
        train(with_overrides(recipe, {"training.seed": seed}), folder=place / f"run-{seed}")
    return make_ensemble([place / "run-1", place / "run-2"], place / "both").folder


def test_an_ensemble_goes_along_with_its_members(ensemble: Path, tmp_path: Path) -> None:
    for hashed in (False, True):
        target = tmp_path / f"{hashed}.rank"
        options = BundleOptions(hash_vocabularies=hashed, measure=False)
        bundle_run(ensemble, target, rows=None if hashed else ROWS, options=options)
        assert len(load_run(target).members) == 2
        np.testing.assert_array_equal(predict_proba(target, ROWS), predict_proba(ensemble, ROWS))
        assert verify_bundle(target).is_whole


def test_an_existing_file_is_replaced_only_if_asked_and_if_it_is_a_bundle(folder: Path, moved: Path) -> None:
    with pytest.raises(StorageError, match=r"must be a new file, but .*moved.rank exists; try overwrite=True"):
        bundle_run(folder / "run", moved)
    bundle_run(folder / "run", moved, options=QUICK, overwrite=True)
    moved.write_text("no bundle")
    with pytest.raises(StorageError, match=r"can replace a bundle alone"):
        bundle_run(folder / "run", moved, overwrite=True)
    with pytest.raises(StorageError, match=r"is a folder; name a file"):
        bundle_run(folder / "run", moved.parent)


def test_a_run_without_a_result_is_no_bundle_yet(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    with pytest.raises(RunError, match=r"must be made of a finished run, but .* was stopped early"):
        bundle_run(tmp_path / "run", tmp_path / "u.rank")
