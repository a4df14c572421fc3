"""Tests of reports on small prepared folders whose figures are known by hand or by construction."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings
from rankelastor.data_report.figures import DataReport, ValueFigures, WeightFigures
from rankelastor.data_report.report import report_on

TRAIN = "click,site,age,past\n1,a,1,x|y\n0,a,2,\n1,,3,y\n0,b,0,y|y\n"
VALID = "click,site,age,past\n1,a,5,new\n0,new,,x|new\n"

Make = Callable[..., DataReport]


@pytest.fixture
def report_of(tmp_path: Path) -> Make:
    """Prepare CSV texts and report on them; ``changes`` go into the data settings."""

    def make(train: str, valid: str, fields: list[dict[str, Any]], **changes: Any) -> DataReport:
        (tmp_path / "train.csv").write_text(train)
        (tmp_path / "valid.csv").write_text(valid)
        values = {
            "prepared": str(tmp_path / "prepared"),
            "files": {"folder": str(tmp_path), "train": "train.csv", "valid": "valid.csv"},
            "label": "click",
            "fields": fields,
        }
        return report_on(prepare(DataSettings.model_validate(values | changes)))

    return make


@pytest.fixture
def small(report_of: Make) -> DataReport:
    fields = [
        {"kind": "categorical", "column": "site"},
        {"kind": "numeric", "column": "age"},
        {"kind": "sequence", "column": "past", "separator": "|", "max_length": 3},
    ]
    return report_of(TRAIN, VALID, fields)


def test_rows_and_label_rates_by_split(small: DataReport) -> None:
    assert (small.splits["train"].num_rows, small.splits["train"].label_rate) == (4, 0.5)
    assert small.splits["valid"].share == pytest.approx(1 / 3)


def test_weights_are_summed_by_split_and_label(report_of: Make) -> None:
    train = "click,site,w\n1,a,3\n0,a,0\n0,b,1\n0,b,2\n"
    fields = [{"kind": "categorical", "column": "site"}]
    splits = report_of(train, "click,site,w\n1,a,1\n0,a,1\n", fields, weight="w").splits
    assert splits["train"].weights == WeightFigures("w", 1.5, 0.0, 3.0, 0.25, 0.5)
    assert splits["train"].label_rate == 0.25
    assert splits["valid"].weights == WeightFigures("w", 1.0, 1.0, 1.0, 0.0, 0.5)


def test_without_a_weight_there_are_no_figures_of_weights(small: DataReport) -> None:
    assert {split.weights for split in small.splits.values()} == {None}


def test_figures_of_a_categorical_feature(small: DataReport) -> None:
    site = small.ids["site"]
    assert site.num_distinct == 3
    assert site.blank_share == {"train": 0.25, "valid": 0.0}
    assert site.unseen_share == {"train": 0.0, "valid": 0.5}
    assert site.once_share == 0.5
    assert site.most_frequent == (
        ValueFigures("value", "a", 0.5, 0.5),
        ValueFigures("value", "", 0.25, 1.0),
        ValueFigures("value", "b", 0.25, 0.0),
    )


def test_figures_of_a_sequence(small: DataReport) -> None:
    past = small.ids["past"]
    assert past.lengths is not None
    assert (past.lengths.mean, past.lengths.maximum, past.lengths.empty_share) == (1.25, 2, 0.25)
    assert past.num_distinct == 2
    assert past.unseen_share == {"train": 0.0, "valid": pytest.approx(2 / 3)}
    assert past.most_frequent[0] == ValueFigures("value", "y", 0.8, 0.5)  # 4 of 5 elements, 2 of them clicked


def test_figures_of_numbers(small: DataReport) -> None:
    age = small.numbers["age"]
    assert (age.mean, age.minimum, age.maximum) == (1.5, 0, 3)
    assert age.standard_deviation == pytest.approx(1.25**0.5)
    assert age.quantiles["0.5"] == 1.5
    assert age.at_blank_share == 0.25
    assert age.means["valid"] == 2.5
    assert age.auc_alone == 1.0


def test_a_report_is_the_same_whatever_the_shards(report_of: Make) -> None:
    fields: list[dict[str, Any]] = [{"kind": "categorical", "column": "site"}, {"kind": "numeric", "column": "age"}]
    whole, pieces = (report_of(TRAIN, VALID, fields, shard_rows=rows) for rows in (1000, 1))
    assert whole == pieces


def test_a_report_becomes_json_without_loss(small: DataReport) -> None:
    values = json.loads(json.dumps(small.as_dict(), allow_nan=False))
    assert values["ids"]["site"]["most_frequent"][0]["text"] == "a"
    assert values["splits"]["train"]["num_rows"] == 4


def test_blanks_that_are_out_of_vocabulary_are_not_called_unseen(report_of: Make) -> None:
    fields = [{"kind": "categorical", "column": "site", "blank": "out_of_vocabulary"}]
    blank_everywhere = VALID.splitlines()[0] + "\n0,,0,\n1,,0,\n"
    report = report_of(TRAIN, blank_everywhere, fields)
    assert report.ids["site"].unseen_share is None
    assert "mostly_unseen" not in {notice.rule for notice in report.notices}


def test_hashes_and_buckets_have_no_unseen_values(report_of: Make) -> None:
    fields = [
        {"kind": "hashed", "column": "site", "num_buckets": 3, "blank": "padding"},
        {"kind": "quantile", "column": "age", "num_buckets": 2, "blank": "value"},
    ]
    report = report_of(TRAIN.replace("b,0", "b,"), VALID, fields)
    site, age = report.ids["site"], report.ids["age"]
    assert site.unseen_share is age.unseen_share is None
    assert site.blank_share == {"train": 0.25, "valid": 0.0}
    assert age.blank_share == {"train": 0.25, "valid": 0.5}
    texts = {value.text for value in age.most_frequent}
    assert "" in texts
    assert any(text is not None and "<" in text for text in texts)


def _log(num_rows: int, seed: int) -> pl.DataFrame:
    draws = np.random.default_rng(seed)
    click = (draws.random(num_rows) < 0.3).astype(int)
    row = np.arange(num_rows) + num_rows * seed
    color, age = draws.integers(0, 5, num_rows), draws.normal(40, 10, num_rows).round(1)
    return pl.DataFrame(
        {
            "click": click,
            "row": [f"row-{seed}-{number}" for number in row],
            "leak": click,
            "revenue": -click * 0.5,
            "color": color,
            "colour_code": (color * 7 + 1) % 5,
            "shade": draws.integers(0, 5, num_rows),
            "constant": 1,
            "mostly_blank": [None if place % 50 else "x" for place in range(num_rows)],
            "age": age,
            "age_again": age,
            "clock": row.astype(float),
            "outlier": np.where(np.arange(num_rows) == 5, 1e9, age),
            "flat": 2.5,
        }
    )


def test_each_rule_fires_where_it_should_and_nowhere_else(report_of: Make) -> None:
    names = ["row", "leak", "color", "colour_code", "shade", "constant", "mostly_blank"]
    numeric = ["revenue", "age", "age_again", "clock", "outlier", "flat"]
    fields = [{"kind": "categorical", "column": names}, {"kind": "numeric", "column": numeric}]
    report = report_of(_log(3000, 0).write_csv(), _log(600, 1).write_csv(), fields)
    assert {(notice.rule, *notice.about) for notice in report.notices} == {
        ("leak", "leak"),
        ("leak", "revenue"),
        ("constant", "constant"),
        ("constant", "flat"),
        ("mostly_blank", "mostly_blank"),
        ("mostly_unseen", "row"),
        ("one_row_a_value", "row"),
        ("same_information", "color", "colour_code"),
        ("same_information", "age", "age_again"),
        ("numbers_move", "clock", "valid"),
        ("numbers_far_out", "outlier"),
    }
    assert [notice.rule for notice in report.notices[:2]] == ["leak", "leak"]
    assert report.ids["row"].auc_alone == 0.5
    assert report.ids["leak"].auc_alone == 1
