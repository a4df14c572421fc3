"""Folders of every format version that there has been are read, with the same results, and newer ones are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.formats.write_folders import HERE, STOPPED

from rankelastor.data.manifest import FORMAT_VERSION as PREPARED_VERSION
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import DataError, RankElastorError, RunError
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.recipes.load import load_recipe, with_overrides
from rankelastor.runs.checkpoints import FORMAT_VERSION as CHECKPOINT_VERSION
from rankelastor.runs.checkpoints import list_checkpoints, read_checkpoint
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import FORMAT_VERSION as RUN_VERSION
from rankelastor.runs.run_folder import RunFolder
from rankelastor.runs.verify import verify
from rankelastor.serving.predict import predict
from rankelastor.training.run import train

VERSIONS = sorted(path.name for path in HERE.iterdir() if path.name.isdigit())
WITH_CHECKPOINTS = sorted(path.parent.name for path in HERE.glob("*/stopped"))


@pytest.fixture(params=VERSIONS)
def folders(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the folders of one version, in the current folder."""
    return copied(request.param, tmp_path, monkeypatch)


def copied(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(HERE / version, tmp_path, dirs_exist_ok=True)
    shutil.copytree(HERE / "raw", tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_present_formats_have_folders() -> None:
    present = str(max(RUN_VERSION, PREPARED_VERSION))
    assert VERSIONS[-1] == present, "run python -m tests.formats.write_folders with the new number"
    assert RunFolder(HERE / present / "run").format_version == RUN_VERSION
    assert PreparedDataset.open(HERE / present / "prepared").manifest.format_version == PREPARED_VERSION
    [checkpoint] = list_checkpoints(HERE / present / "stopped" / "checkpoints")
    assert json.loads((checkpoint / "checksums.json").read_text())["format_version"] == CHECKPOINT_VERSION


def test_a_run_predicts_what_it_did(folders: Path) -> None:
    predict("run", "raw/test.csv", "now.csv")
    before, now = (pl.read_csv(folders / name) for name in ("expected.csv", "now.csv"))
    assert before.drop("probability").equals(now.drop("probability"))
    assert now["probability"].to_list() == pytest.approx(before["probability"].to_list(), abs=1e-6)


def test_a_run_is_evaluated_on_its_prepared_data_as_it_was(folders: Path) -> None:
    before = RunFolder.open("run").result().metrics["test"]
    assert evaluate("run").as_dict()["logloss"] == pytest.approx(before["logloss"], abs=1e-6)


def test_prepared_data_hold_the_raw_rows_and_train(folders: Path) -> None:
    raw = pl.read_csv(folders / "raw" / "train.csv")
    rows = PreparedDataset.open("prepared").frame("train")
    assert rows["click"].to_list() == raw["click"].to_list()
    assert train(load_recipe(HERE / "recipe.yaml"), folder="again").result.steps == 5


@pytest.mark.parametrize("name", ["run", "prepared"])
def test_what_is_there_is_whole(name: str, folders: Path) -> None:
    found = verify(folders / name)
    assert found.is_whole, found.damage


@pytest.mark.parametrize("version", WITH_CHECKPOINTS)
def test_a_stopped_run_goes_on(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(version, tmp_path, monkeypatch)
    recipe = with_overrides(load_recipe(HERE / "recipe.yaml"), STOPPED)
    finished = train(recipe, folder="stopped", resume=True)
    expected = RunFolder.open("run").result().metrics["test"]
    assert finished.result.metrics["test"]["logloss"] == pytest.approx(expected["logloss"], abs=1e-6)


def raise_version(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))


def test_newer_formats_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(VERSIONS[-1], tmp_path, monkeypatch)
    raise_version(tmp_path / "prepared" / "schema.json")
    with pytest.raises(DataError, match=r"prepared must have the format version 4 or lower, but has 99"):
        PreparedDataset.open("prepared")
    raise_version(tmp_path / "run" / "environment.json")
    with pytest.raises(RunError, match=r"run .*99.*update rankelastor"):
        load_run("run")
    [checkpoint] = list_checkpoints(tmp_path / "stopped" / "checkpoints")
    raise_version(checkpoint / "checksums.json")
    with pytest.raises(RankElastorError, match=r"must have format_version 1, but .* has 99"):
        read_checkpoint(checkpoint)
