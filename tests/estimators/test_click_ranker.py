"""Tests that the estimator is the engine of the command line, and follows scikit-learn's conventions."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import yaml
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.conftest import tiny_values, write_clicks
from tests.estimators.click_tables import click_log
from typer.testing import CliRunner

from rankelastor import load_run
from rankelastor.alarms.alarm import Alarm
from rankelastor.bundles.make import BundleOptions
from rankelastor.bundles.verify import verify
from rankelastor.cli.main import app
from rankelastor.errors import DataError, RunError, SettingsError, StorageError
from rankelastor.estimators.click_ranker import ClickRanker
from rankelastor.estimators.plan import Rows
from rankelastor.estimators.rows import labels_as_numbers, rows_like
from rankelastor.estimators.tables import TableError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.runs.run_folder import RunFolder
from rankelastor.training.run import train

LOG = click_log()
X, Y = LOG.drop("click"), LOG["click"].to_numpy()


def quick(**parameters: Any) -> ClickRanker:
    settings = {"training.baseline": False, **parameters.pop("settings", {})}
    return ClickRanker(**{"epochs": 1, "random_state": 3, "settings": settings, **parameters})


@pytest.fixture(scope="module")
def fitted() -> ClickRanker:
    """An estimator that was fitted on the log."""
    return quick().fit(LOG, "click")


def test_the_recipe_is_what_the_command_line_runs_with_the_same_numbers(tmp_path: Path) -> None:
    ranker = quick(folder=tmp_path / "fit").fit(LOG, "click")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(ranker.recipe_.given))
    result = CliRunner().invoke(app, ["train", str(recipe), "--run", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert RunFolder.open(tmp_path / "run").result().metrics == ranker.result_.metrics
    np.testing.assert_array_equal(load_run(tmp_path / "run").predict_proba(X), ranker.predict_proba(X)[:, 1])


def test_frames_of_all_libraries_and_paths_give_the_same_ranker(fitted: ClickRanker, tmp_path: Path) -> None:
    LOG.write_parquet(tmp_path / "log.parquet")
    expected = fitted.predict_proba(X)
    for table in (LOG.to_pandas(), LOG.to_arrow(), LOG.to_dict(as_series=False), tmp_path / "log.parquet"):
        np.testing.assert_array_equal(fitted.predict_proba(table), expected)
    for table in (LOG.to_pandas(), tmp_path / "log.parquet"):
        np.testing.assert_array_equal(quick().fit(table, "click").predict_proba(X), expected)


def test_labels_beside_the_table_give_the_same_ranker_and_name_the_classes(fitted: ClickRanker) -> None:
    words = np.where(Y == 1, "yes", "no")
    beside = quick().fit(X, words)
    assert beside.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(beside.predict_proba(X), fitted.predict_proba(X))
    assert set(beside.predict(X)) <= {"no", "yes"}
    assert beside.score(X, words) == pytest.approx(fitted.score(LOG))
    assert quick(label="click").fit(LOG).classes_.tolist() == [0, 1]


def test_fields_are_shown_with_reasons_and_can_be_said_otherwise(fitted: ClickRanker) -> None:
    assert "device  categorical         3 different texts" in str(fitted.fields_)
    said = quick(fields={"price": {"kind": "numeric", "transform": "log"}, "site": None}).fit(LOG, "click")
    kinds = {choice.column: (choice.kinds, choice.reason) for choice in said.fields_}
    assert kinds["price"] == ("numeric", "as you said")
    assert kinds["site"] == ("left out", "as you said")
    assert "site" not in said.run_.encoder.columns
    with pytest.raises(SettingsError, match=r"fields must name columns of the table, but it has no 'pricee'"):
        quick(fields={"pricee": "numeric"}).fit(LOG, "click")
    with pytest.raises(SettingsError, match=r"fields\['price'\] must be the settings of a field"):
        quick(fields={"price": "number"}).fit(LOG, "click")


def test_settings_reach_the_recipe_by_their_paths() -> None:
    ranker = quick(model="mlp", embedding_dim=3, settings={"model.hidden_dims": [5]}).fit(LOG, "click")
    model = ranker.recipe_.model
    assert (model.kind, model.embedding_dim, ranker.result_.model) == ("mlp", 3, "mlp")
    with pytest.raises(SettingsError, match=r"model.kind"):
        quick(model="nothing").fit(LOG, "click")


@pytest.mark.slow  # two trainings
def test_weights_of_zero_leave_rows_out_of_the_loss() -> None:
    half = np.r_[np.ones(200), np.zeros(200)]
    turned = np.where(np.arange(400) < 200, Y, 1 - Y)
    settings = {"training.calibration.kind": "none", "training.baseline": False}
    held_out = click_log(100, seed=2)
    rankers = [
        quick(settings=settings).fit(X, labels, sample_weight=half, eval_set=held_out.with_columns(label="click"))
        for labels in (Y, turned)
    ]
    np.testing.assert_allclose(rankers[0].predict_proba(X), rankers[1].predict_proba(X), atol=1e-6)


def test_an_evaluation_set_takes_the_place_of_held_out_rows() -> None:
    held_out = click_log(100, seed=2)
    ranker = quick().fit(X, Y, eval_set=(held_out.drop("click"), held_out["click"]))
    assert ranker.result_.valid["num_examples"] == 100
    assert ranker.result_.valid["auc"] == pytest.approx(
        ranker.evaluate(held_out.drop("click"), held_out["click"]).value("auc"), abs=1e-6
    )


def test_groups_give_metrics_within_them() -> None:
    groups = LOG["user"].to_numpy()
    ranker = quick().fit(X.drop("user"), Y, group=groups)
    assert "gauc" in ranker.result_.valid
    assert "user" not in ranker.run_.encoder.columns
    assert "gauc" in ranker.evaluate(X.drop("user"), Y, group=groups).as_dict()
    assert "gauc" in quick().fit(LOG, "click", group="user").result_.valid


def test_labels_that_are_texts_are_given_beside_the_table_or_in_it() -> None:
    words = np.where(Y == 1, "yes", "no")
    log = X.with_columns(answer=words)
    held_out = click_log(100, seed=2)
    answers = np.where(held_out["click"].to_numpy() == 1, "yes", "no")
    ranker = quick().fit(log, "answer", eval_set=(held_out.drop("click"), answers))
    assert ranker.run_.recipe.data.targets[0].label.positive == "yes"
    assert ranker.result_.valid["num_examples"] == 100
    expected = ranker.evaluate(log)
    assert ranker.evaluate(X, words) == expected
    assert ranker.score(log, log["answer"]) == expected.value("auc")
    turned = log.with_columns(answer=np.where(Y == 1, "no", "yes"))
    assert ranker.score(turned, words) == expected.value("auc"), "labels beside the table count"


def test_weights_and_groups_beside_the_table_take_the_place_of_its_columns() -> None:
    weights = np.where(Y == 1, 2.0, 1.0)
    log = LOG.with_columns(w=weights[::-1])
    ranker = quick().fit(log, "click", sample_weight="w", group="user")
    expected = ranker.evaluate(log.with_columns(w=weights))
    assert ranker.evaluate(log, sample_weight=weights) == expected
    assert ranker.evaluate(log, Y, sample_weight=weights, group=log["user"].to_numpy()) == expected
    assert expected != ranker.evaluate(log)
    assert "w" not in ranker.feature_names_in_
    with pytest.raises(
        TableError, match=r"must not change a feature, but column 'user' of the fit is read by user too"
    ):
        ranker.evaluate(log, group=np.arange(400))
    apart = quick(fields={"user": None}).fit(log, "click", group="user")
    whole = apart.evaluate(log.with_columns(user=pl.lit(1)))
    assert apart.evaluate(log, group=np.ones(400)).value("gauc") == whole.value("gauc") == whole.value("auc")


@pytest.mark.parametrize(
    ("positive", "classes", "values"),
    [
        (None, [False, True], [0, 1]),
        (True, [False, True], [False, True]),
        (2, [1, 2], [1, 2]),
        (2, [1.0, 2.0], [1.0, 2.0]),
        ("yes", ["no", "yes"], ["no", "yes"]),
        ("yes", [0, 1], ["not yes", "yes"]),
        (5, [0, 1], [6, 5]),
    ],
)
def test_labels_are_written_as_the_recipe_reads_them(positive: object, classes: list[Any], values: list[Any]) -> None:
    fitted = Rows(pa.table({}), "answer", positive, None, None, np.array(classes))
    rows = rows_like(fitted, pa.table({"a": [7, 8, 9]}), classes + classes[:1])
    assert rows.table["answer"].to_pylist() == values + values[:1]
    assert labels_as_numbers(rows).tolist() == [0, 1, 0]


def test_a_run_with_several_labels_is_no_click_ranker(tmp_path: Path) -> None:
    values = tiny_values(write_clicks(tmp_path), prepared=tmp_path / "prepared")
    del values["data"]["label"]
    values["data"]["labels"] = {"click": "click", "dear": {"column": "device", "positive": "tablet"}}
    values["data"]["fields"][0]["column"] = ["site"]
    values["model"]["num_tokens"] = 2
    values["training"]["epochs"] = 1
    folder = train(recipe_from_values(values), folder=tmp_path / "run").folder
    with pytest.raises(
        RunError, match=r"must have one label, but .*run has 2 \(click, dear\); try rankelastor.load_run"
    ):
        ClickRanker.load(folder)


def test_a_saved_ranker_is_loaded_with_its_classes(fitted: ClickRanker, tmp_path: Path) -> None:
    path = tmp_path / "model.rank"
    words = quick().fit(X, np.where(Y == 1, "yes", "no"))
    words.save(path)
    assert verify(path).is_whole
    loaded = ClickRanker.load(path)
    np.testing.assert_array_equal(loaded.predict(X), words.predict(X))
    np.testing.assert_array_equal(load_run(path).predict_proba(X), words.predict_proba(X)[:, 1])
    assert loaded.get_params() == words.get_params()
    assert loaded.feature_names_in_.tolist() == X.columns
    assert loaded.evaluate(X, np.where(Y == 1, "yes", "no")).value("auc") == words.score(X, np.where(Y, "yes", "no"))


def test_averaged_weights_are_those_that_score_and_are_saved(fitted: ClickRanker, tmp_path: Path) -> None:
    averaged = quick(settings={"training.averaged_weights.decay": 0.5}).fit(LOG, "click")
    assert averaged.recipe_.training.averaged_weights is not None
    expected = averaged.predict_proba(X)
    assert not np.array_equal(expected, fitted.predict_proba(X))
    averaged.save(tmp_path / "model.rank", options=BundleOptions(measure=False))
    np.testing.assert_array_equal(ClickRanker.load(tmp_path / "model.rank").predict_proba(X), expected)


def test_a_ranker_with_hashes_is_loaded_and_saved_again_with_hashes(fitted: ClickRanker, tmp_path: Path) -> None:
    hashing = BundleOptions(measure=False, hash_vocabularies=True)
    fitted.save(tmp_path / "hashed.rank", options=hashing)
    loaded = ClickRanker.load(tmp_path / "hashed.rank")
    for name, options in (("as-it-is", None), ("again", hashing), ("plain", BundleOptions(measure=False))):
        loaded.save(tmp_path / f"{name}.rank", options=options)
        again = ClickRanker.load(tmp_path / f"{name}.rank")
        assert again.run_.bundle is not None
        assert again.run_.bundle.index.hashed_vocabularies
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_a_loaded_ranker_is_saved_as_asked_and_replaces_no_file_unasked(fitted: ClickRanker, tmp_path: Path) -> None:
    quick_options = BundleOptions(measure=False)
    fitted.save(tmp_path / "model.rank", options=quick_options)
    loaded = ClickRanker.load(tmp_path / "model.rank")
    assert loaded.run_.bundle is not None
    assert loaded.run_.bundle.example_rows is not None
    with pytest.raises(StorageError, match="must be a new file"):
        loaded.save(tmp_path / "model.rank")
    loaded.save(tmp_path / "copy.rank")
    assert (tmp_path / "copy.rank").read_bytes() == (tmp_path / "model.rank").read_bytes()
    kept = (tmp_path / "model.rank").read_bytes()
    (tmp_path / "model.rank").unlink()
    loaded.save(tmp_path / "model.rank")
    assert (tmp_path / "model.rank").read_bytes() == kept
    loaded.save(tmp_path / "bare.rank", options=replace(quick_options, with_examples=False))
    pickled = pickle.loads(pickle.dumps(loaded))
    for without in (ClickRanker.load(tmp_path / "bare.rank"), pickled):
        assert without.run_.bundle is not None
        assert without.run_.bundle.example_rows is None
    assert "stable_rank" in loaded.spectrum().trajectories
    assert (
        pickled.spectrum(X).trajectories["stable_rank"] == loaded.spectrum(X).named("model").trajectories["stable_rank"]
    )
    with pytest.raises(TableError, match="a ranker that holds no rows must be given some to be measured"):
        pickled.spectrum()
    pickled.save(tmp_path / "pickled.rank")
    np.testing.assert_array_equal(ClickRanker.load(tmp_path / "pickled.rank").predict_proba(X), fitted.predict_proba(X))


def test_copies_and_pickles_score_the_same(fitted: ClickRanker) -> None:
    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))
    assert not hasattr(clone(fitted), "run_")
    assert clone(fitted).get_params() == fitted.get_params()
    assert quick().set_params(epochs=4).epochs == 4


@pytest.mark.slow  # a dozen trainings
def test_it_works_in_pipelines_searches_and_calibration() -> None:
    pipe = Pipeline([("rename", FunctionTransformer(lambda frame: frame.rename({"price": "cost"}))), ("rank", quick())])
    assert pipe.fit(X, Y).predict_proba(X).shape == (400, 2)
    scores = cross_val_score(quick(), X.to_pandas(), Y, cv=2)
    assert len(scores) == 2
    assert (scores > 0.4).all()
    assert len(cross_val_score(quick(label="click"), LOG, cv=2)) == 2
    found = GridSearchCV(quick(), {"learning_rate": [1e-4, 1e-2]}, cv=2).fit(X, Y)
    assert found.best_params_["learning_rate"] in {1e-4, 1e-2}
    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(X.to_pandas(), Y)
    assert calibrated.predict_proba(X.to_pandas()).shape == (400, 2)


@pytest.mark.slow  # processes of their own
def test_an_ensemble_is_fitted_by_one_parameter() -> None:
    ranker = quick(members=2, settings={"training.baseline": False}).fit(LOG, "click")
    assert len(ranker.run_.members) == 2
    assert ranker.predict_proba(X).shape == (400, 2)


def test_the_spectrum_is_that_of_the_held_out_rows_or_others(fitted: ClickRanker) -> None:
    assert fitted.spectrum().num_examples == 40
    assert fitted.spectrum(X).num_examples == 400


def test_notebooks_see_tables(fitted: ClickRanker) -> None:
    shown = fitted._repr_html_()
    assert "<td>auc</td>" in shown
    assert "<td>3 different texts</td>" in shown
    assert "ClickRanker(epochs=1, random_state=3" in quick()._repr_html_()
    assert "<th>of possible</th>" in fitted.spectrum()._repr_html_()
    (path,) = (each for name, each in fitted.spectrum().trajectories.items() if name == "stable_rank")
    assert path._repr_html_().count("█") == sum(round(20 * stage.share) for stage in path.stages)
    assert "<td>auc</td>" in fitted.evaluate(LOG)._repr_html_()
    alarm = Alarm("rule", ("valid",), "a <b> is likely wrong")
    assert "<p>⚠ a &lt;b&gt; is likely wrong</p>" in replace(fitted.result_, alarms=(alarm,))._repr_html_()


@pytest.mark.parametrize(
    ("table", "labels", "message"),
    [
        (X.drop("price"), None, r"must have the columns of the fit, but price is missing; it has site"),
        (X.drop("price").to_pandas(), None, r"price is missing"),
        (X.with_columns(price=pl.lit("much")), None, r"column 'price', row 1 must hold numbers, but 'much' was given"),
        (3, None, r"must have rows and columns, but an array of 0 dimensions was given"),
    ],
)
def test_wrong_tables_are_refused_by_what_is_wrong(
    fitted: ClickRanker, table: object, labels: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        fitted.predict_proba(table)


@pytest.mark.parametrize(
    ("table", "labels", "message"),
    [
        (X, Y[:10], r"labels must be one value per row, of 400 rows, but the shape \(10,\) was given"),
        (X, np.zeros(400), r"must have two different values, but have 1 class: 0.0"),
        (X, np.arange(400) % 3, r"Only binary classification is supported"),
        (X, np.where(Y == 1, np.nan, 0.0), r"y contains NaN"),
        (X, "clicked", r"the label must be a column of the table, but 'clicked' is none of site, device"),
        (LOG[:4], "click", r"a log must have 5 rows or more to draft settings from, but has 4"),
        (scipy.sparse.eye(400, format="csr"), Y, r"a table must be dense, but a sparse matrix was given"),
        (pa.table({"a": [1] * 30}), np.arange(30) % 2, r"must have a column to learn from besides the label"),
    ],
)
def test_fits_that_cannot_work_say_why(table: object, labels: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        quick().fit(table, labels)


def test_what_is_not_fitted_says_so() -> None:
    with pytest.raises(NotFittedError):
        quick().predict_proba(X)
    with pytest.raises(TableError, match="weights must be finite numbers"):
        quick().fit(X, Y, sample_weight=-np.ones(400))
    with pytest.raises(TableError, match="labels must be 0 or 1, but 7 was given"):
        quick().fit(X, Y, eval_set=(X, Y + 7))


def test_arrays_have_columns_by_number() -> None:
    values = X.select("price", "user").to_numpy()
    ranker = quick().fit(values, Y)
    assert ranker.n_features_in_ == 2
    assert not hasattr(ranker, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 1 features, but ClickRanker is expecting 2 features"):
        ranker.predict_proba(values[:, :1])
