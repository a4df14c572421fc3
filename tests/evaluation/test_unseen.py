import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rankelastor.cli.main import app
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.evaluation.evaluate import evaluate, evaluate_with_unseen
from rankelastor.evaluation.scoring import Predictions
from rankelastor.evaluation.unseen import UnseenValues, count_unseen
from rankelastor.metrics.ranking import auc
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.run import train

TRAIN = "click,site,hash,past\n1,a,x,a|b\n0,b,y,\n1,a,z,b\n0,b,x,a|a|b\n"
TEST = "click,site,hash,past\n1,a,new,a|new\n0,new,x,\n1,newer,x,b\n0,b,x,new|newer|a\n0,a,x,b\n"
"""Unseen sites: 2 of 5. Unseen elements: 3 of 7. Rows that hold one: the first four but no last."""


def predictions_of(label: np.ndarray, probability: np.ndarray) -> Predictions:
    return Predictions(label=label[:, None], probability=probability[:, None], tasks=("click",))


@pytest.fixture
def values(recipe_values: dict[str, Any], click_log: Path) -> dict[str, Any]:
    for split, text in (("train", TRAIN), ("valid", TRAIN), ("test", TEST)):
        (click_log / f"{split}.csv").write_text(text)
    recipe_values["data"]["fields"] = [
        {"kind": "categorical", "column": "site"},
        {"kind": "hashed", "column": "hash", "num_buckets": 4},
        {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "site"},
    ]
    return recipe_values


def test_unseen_values_are_counted_by_field_and_row(values: dict[str, Any]) -> None:
    dataset = prepare(recipe_from_values(values).data)
    unseen = count_unseen(BatchLoader(dataset.split("test"), batch_size=2), dataset.manifest)
    assert unseen.share_by_field == pytest.approx({"site": 2 / 5, "past": 3 / 7})
    assert unseen.rows.tolist() == [True, True, True, True, False]


def test_what_train_holds_is_seen(values: dict[str, Any]) -> None:
    dataset = prepare(recipe_from_values(values).data)
    unseen = count_unseen(BatchLoader(dataset.split("train"), batch_size=3), dataset.manifest)
    assert unseen.share_by_field == {"site": 0, "past": 0}
    assert not unseen.rows.any()


def test_fields_whose_blanks_are_out_of_vocabulary_are_left_out(values: dict[str, Any], click_log: Path) -> None:
    """Check with five blank cells of eight, which would count as unseen."""
    text = "click,site,other,past\n1,a,,a\n0,b,a,b\n1,,,new\n0,,,\n"
    for split in ("train", "valid", "test"):
        (click_log / f"{split}.csv").write_text(text.replace("new", "b") if split == "train" else text)
    values["data"]["fields"] = [
        {"kind": "categorical", "column": "site", "blank": "out_of_vocabulary"},
        {"kind": "categorical", "column": "other", "shares": "site"},
        {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3, "shares": "site"},
    ]
    dataset = prepare(recipe_from_values(values).data)
    unseen = count_unseen(BatchLoader(dataset.split("test"), batch_size=2), dataset.manifest)
    assert unseen.share_by_field == {"past": pytest.approx(1 / 3)}
    assert unseen.rows.tolist() == [False, False, True, False]
    assert unseen.left_out == ("site", "other")


def test_evaluate_names_the_fields_that_it_leaves_out(values: dict[str, Any], tmp_path: Path) -> None:
    values["data"]["fields"][0]["blank"] = "out_of_vocabulary"
    run = train(recipe_from_values(values), folder=tmp_path / "run")
    assert run.result.unseen["test"].fields_left_out == ("site",)
    shown = CliRunner().invoke(app, ["evaluate", str(run.folder)]).output
    assert "Left out, because their blanks are also out of vocabulary: site" in shown


def test_the_auc_of_unseen_is_that_of_the_rows_alone() -> None:
    draws = np.random.default_rng(3)
    label, probability = draws.integers(0, 2, 100).astype(np.float32), draws.random(100)
    rows = draws.random(100) < 0.4
    report = UnseenValues({"site": 0.4}, rows).report(predictions_of(label, probability))
    pairs = [(p > q) + (p == q) / 2 for p in probability[rows & (label > 0)] for q in probability[rows & (label == 0)]]
    assert report.auc == pytest.approx(np.mean(pairs), abs=1e-6)
    assert report.num_examples == rows.sum()
    assert report.share_of_examples == pytest.approx(rows.mean(), abs=1e-6)
    assert report.auc != pytest.approx(auc(label, probability), abs=1e-6)


def test_several_tasks_have_an_auc_of_unseen_each() -> None:
    draws = np.random.default_rng(4)
    label, probability = draws.integers(0, 2, (60, 2)).astype(np.float32), draws.random((60, 2))
    rows, weight = draws.random(60) < 0.5, draws.random(60).astype(np.float32)
    predictions = Predictions(label=label, probability=probability, tasks=("click", "like"), weight=weight)
    report = UnseenValues({}, rows).report(predictions)
    each = [auc(label[rows, t], probability[rows, t], weight=weight[rows]) for t in (0, 1)]
    assert report.tasks == {"click": {"auc": round(each[0], 6)}, "like": {"auc": round(each[1], 6)}}
    assert report.auc == pytest.approx(np.mean(each), abs=1e-6)


@pytest.mark.parametrize("rows", [[False, False], [True, False]], ids=["no row", "one label"])
def test_the_auc_of_unseen_is_missing_where_it_is_not_defined(rows: list[bool]) -> None:
    predictions = predictions_of(np.array([1, 0], dtype=np.float32), np.array([0.4, 0.6]))
    report = UnseenValues({}, np.array(rows)).report(predictions)
    assert report.auc is None
    assert not any(isinstance(value, float) and math.isnan(value) for value in report.as_dict().values())


def test_a_run_reports_what_is_unseen_in_its_result_and_in_evaluate(values: dict[str, Any], tmp_path: Path) -> None:
    run = train(recipe_from_values(values), folder=tmp_path / "run")
    assert set(run.result.unseen) == {"valid", "test"}
    assert run.result.unseen["valid"].num_examples == 0
    evaluated = evaluate_with_unseen(run.folder, split="test")
    assert evaluated.unseen == run.result.unseen["test"]
    assert evaluated.unseen.share_by_field == {"site": 0.4, "past": 0.428571}
    assert evaluated.unseen.num_examples == 4
    assert evaluated.metrics == evaluate(run.folder, split="test")


def test_evaluate_prints_what_is_unseen(values: dict[str, Any], tmp_path: Path) -> None:
    run = train(recipe_from_values(values), folder=tmp_path / "run")
    shown = CliRunner().invoke(app, ["evaluate", str(run.folder)]).output
    assert "4 rows (80.00 %) contain values unseen in training, their AUC is" in shown
    assert shown.index("past") < shown.index("site")  # most unseen first
    as_json = json.loads(CliRunner().invoke(app, ["evaluate", str(run.folder), "--json"]).stdout)
    assert as_json["test"] == run.result.test
    assert as_json["unseen"]["test"] == run.result.unseen["test"].as_dict()
    of_train = CliRunner().invoke(app, ["evaluate", str(run.folder), "--split", "train"]).output
    assert "0 rows (0.00 %) contain values unseen in training." in of_train
