"""Tests that importance finds the column that decides, and none where nothing depends on it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.bundles.bundled_runs import tiny_run
from tests.estimators.click_tables import click_log
from typer.testing import CliRunner

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.cli.main import app
from rankelastor.errors import DataError, SettingsError
from rankelastor.estimators.click_ranker import ClickRanker
from rankelastor.explanations.columns import ColumnPlaces, column_places
from rankelastor.explanations.contributions import contributions
from rankelastor.explanations.importance import importance
from rankelastor.explanations.row import explain_row
from rankelastor.schema import Batch
from rankelastor.serving.predict_proba import predict_proba


@pytest.fixture(scope="module")
def ranker() -> ClickRanker:
    """A ranker of a log in which the device decides most."""
    settings = {"training.baseline": False, "training.learning_rate": 0.02, "training.patience": 50}
    return ClickRanker(model="logistic_regression", epochs=30, random_state=1, settings=settings).fit(
        click_log(600), "click"
    )


def test_the_column_that_decides_is_first_and_noise_loses_nothing(ranker: ClickRanker) -> None:
    later = click_log(800, seed=2)
    found = importance(ranker.run_, on=later, repeats=5)
    by_name = {each.column: each for each in found}
    assert {found[0].column, found[1].column} == {"device", "price"}
    assert found[0].auc.low > 0
    assert found[0].logloss.mean > 0
    assert by_name["site"].auc.low < 0 < by_name["site"].auc.high
    assert importance(ranker.run_, on=later, repeats=5) == found


def test_contributions_are_the_mean_changes_of_an_additive_score() -> None:
    def logits(batch: Batch) -> np.ndarray:
        return (batch.categorical[:, :1] * 10 + batch.numeric[:, :1]).double().numpy()

    def batch(ids: list[int], numbers: list[float]) -> Batch:
        categorical = torch.tensor(ids, dtype=torch.int32).reshape(-1, 1)
        return Batch(categorical=categorical, numeric=torch.tensor(numbers).reshape(-1, 1), labels=None, group=None)

    places = [ColumnPlaces("id", (0,), (), ()), ColumnPlaces("number", (), (0,), ())]
    found = contributions(logits, batch([3], [1.0]), batch([1, 2], [2.0, 4.0]), places)
    assert [(each.column, each.change) for each in found] == [("id", 15.0), ("number", -2.0)]


def test_a_row_is_explained_beside_others_without_labels(ranker: ClickRanker) -> None:
    rows = click_log(50, seed=3).drop("click")
    explained = explain_row(ranker.run_, 7, on=rows)
    assert explained.probability == pytest.approx(predict_proba(ranker.run_, rows)[6], abs=1e-6)
    assert {each.column for each in explained.contributions} == set(ranker.run_.encoder.columns)
    with pytest.raises(DataError, match="row 51 of 50 was asked for"):
        explain_row(ranker.run_, 51, on=rows)


def test_every_feature_belongs_to_its_columns(ranker: ClickRanker) -> None:
    places = column_places(ranker.run_.encoder)
    indices = [index for place in places for index in place.categorical]
    assert sorted(indices) == list(range(len(ranker.run_.encoder.schema.categorical)))


def test_wrong_rows_and_repeats_are_refused(ranker: ClickRanker) -> None:
    with pytest.raises(SettingsError, match="needs 2 repeats or more, but 1 was given"):
        importance(ranker.run_, on=click_log(30), repeats=1)
    with pytest.raises(DataError, match="click"):
        importance(ranker.run_, on=click_log(30).drop("click"))


def test_the_verb_explains_runs_and_bundles(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    bundle_run(run, tmp_path / "model.rank", options=BundleOptions(measure=False))
    of_run = CliRunner().invoke(app, ["explain", str(run), "--json", "--repeats", "2"])
    assert [sorted(each) for each in json.loads(of_run.stdout)] == [["auc", "column", "logloss"]] * 3
    plot = tmp_path / "plot.html"
    on = ["--on", str(tmp_path / "log" / "test.csv"), "--repeats", "2"]
    of_bundle = CliRunner().invoke(app, ["explain", str(tmp_path / "model.rank"), *on, "--plot", str(plot)])
    assert of_bundle.exit_code == 0, of_bundle.output
    assert "AUC lost" in of_bundle.stdout
    assert "device" in plot.read_text()
    picture = CliRunner().invoke(app, ["explain", str(run), "--plot", str(tmp_path / "plot.png")])
    assert picture.exit_code == 2
    assert "a plot must be an HTML page, but plot.png was given; try" in picture.output
    row = CliRunner().invoke(app, ["explain", str(run), "--row", "2", "--json"])
    assert json.loads(row.stdout)["row"] == 2
