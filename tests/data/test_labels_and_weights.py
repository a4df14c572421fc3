"""Tests of several labels, a positive value and weights, from raw rows to batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.data.prepare import prepare
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.data_report.report import report_on
from rankelastor.errors import DataError, SettingsError
from rankelastor.schema import FeatureSchema

WriteFiles = Callable[[dict[str, str | bytes]], Path]
SettingsFor = Callable[..., DataSettings]

TEXT = "click,liked,w,site,age\n1,yes,0.5,a,1\n0,no,0,b,2\n1,no,2,a,3\n0,yes,1,c,4\n1,meh,1,c,5\n"
BOTH: dict[str, Any] = {
    "label": None,
    "labels": {"click": "click", "like": {"column": "liked", "positive": "yes"}},
    "weight": "w",
}


@pytest.fixture
def prepared(write_files: WriteFiles, settings_for: SettingsFor) -> PreparedDataset:
    write_files({"train.csv": TEXT, "valid.csv": TEXT})
    return prepare(settings_for(BOTH | {"shard_rows": 2}))


def test_labels_and_weights_come_in_batches(prepared: PreparedDataset) -> None:
    (batch,) = BatchLoader(prepared.split("train"), batch_size=9).epoch()
    assert batch.labels is not None
    assert batch.weight is not None
    assert batch.labels.tolist() == [[1, 1], [0, 0], [1, 0], [0, 1], [1, 0]]
    assert batch.weight.tolist() == [0.5, 0, 2, 1, 1]
    assert batch.labels.dtype == batch.weight.dtype == torch.float32


def test_a_shuffled_epoch_keeps_labels_and_weights_with_their_rows(prepared: PreparedDataset) -> None:
    seen = []
    for batch in BatchLoader(prepared.split("train"), batch_size=2, shuffle=True).epoch():
        assert batch.labels is not None
        assert batch.weight is not None
        seen += list(zip(batch.numeric[:, 0].tolist(), batch.labels.tolist(), batch.weight.tolist(), strict=True))
    assert sorted(seen) == [(1, [1, 1], 0.5), (2, [0, 0], 0), (3, [1, 0], 2), (4, [0, 1], 1), (5, [1, 0], 1)]


def test_the_folder_names_its_tasks_and_their_rates(prepared: PreparedDataset) -> None:
    assert prepared.schema.tasks == ("click", "like")
    summary = prepared.manifest.splits["train"]
    assert summary.label_mean == 0.6
    assert summary.label_means == {"click": 0.6, "like": 0.4}
    assert prepared.manifest.labels == {"click": "click", "like": "liked"}
    assert prepared.manifest.weight == "w"
    frame = prepared.frame("train")
    assert frame["like"].to_list() == [1, 0, 0, 1, 0]
    assert frame["weight:w"].to_list() == [0.5, 0, 2, 1, 1]


def test_opening_again_needs_no_work(prepared: PreparedDataset, settings_for: SettingsFor) -> None:
    assert PreparedDataset.open_matching(settings_for(BOTH | {"shard_rows": 2})).manifest == prepared.manifest


def test_another_positive_value_makes_the_folder_stale(prepared: PreparedDataset, settings_for: SettingsFor) -> None:
    labels = {"click": "click", "like": {"column": "liked", "positive": "meh"}}
    other = prepare(settings_for(BOTH | {"labels": labels, "shard_rows": 2}))
    assert other.fingerprint != prepared.fingerprint
    assert other.frame("train")["like"].to_list() == [0, 0, 0, 0, 1]


def test_rows_to_score_need_neither_labels_nor_weight(prepared: PreparedDataset, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("site,age\na,1\n")
    encoder = RowEncoder.load(prepared.folder)
    (rows,) = read_rows(tmp_path / "new.csv", encoder.csv)
    batch = encoder.encode(rows)
    assert batch.labels is None
    assert batch.weight is None


def test_one_label_is_a_task_of_its_column(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    write_files({"train.csv": TEXT, "valid.csv": TEXT})
    dataset = prepare(settings_for({"label": {"column": "liked", "positive": "yes"}}))
    assert dataset.schema.tasks == ("liked",)
    assert dataset.manifest.labels is None
    assert dataset.manifest.splits["train"].label_means is None
    (batch,) = BatchLoader(dataset.split("train"), batch_size=9).epoch()
    assert batch.labels is not None
    assert batch.labels.tolist() == [[1], [0], [0], [1], [0]]
    assert batch.weight is None


def test_the_report_gives_a_rate_per_task(prepared: PreparedDataset) -> None:
    report = report_on(prepared)
    assert report.label == "click"
    assert report.splits["train"].label_rates == {"click": 0.6, "like": 0.4}


def test_a_schema_that_names_no_task_has_one() -> None:
    assert FeatureSchema(()).tasks == ("label",)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weight": "wt"}, DataError, r"must have the column 'wt', .*check data.weight"),
        (
            {"labels": {"like": "likd"}},
            DataError,
            r"must have the column 'likd', .*did you mean 'liked'\?; check data.labels.like",
        ),
        (
            {"labels": {"like": {"column": "liked", "positive": "never"}}},
            DataError,
            (
                r"the split train must hold labels 0 and 1, but all its 5 labels are 0 in column 'liked'; no row has "
                r"positive: 'never' there; check data.labels.like.positive"
            ),
        ),
        (
            {"labels": {"like": {"column": "liked", "positive": True}}},
            SettingsError,
            r'data.labels.like.positive must be .* write positive: "yes" in quotes',
        ),
        (
            {"fields": [{"kind": "categorical", "column": ["site", "liked"]}]},
            SettingsError,
            r"a field must not read the label, but 'liked' is data.labels.like",
        ),
        (
            {"fields": [{"kind": "numeric", "column": "w"}]},
            SettingsError,
            r"a field must not read the weight, but 'w' is data.weight",
        ),
        (
            {"fields": [{"kind": "categorical", "column": "site", "name": "like"}]},
            SettingsError,
            r"'like' comes from data.labels.like and from data.fields.0",
        ),
    ],
)
def test_mistakes_are_refused_with_their_place(
    write_files: WriteFiles,
    settings_for: SettingsFor,
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    write_files({"train.csv": TEXT, "valid.csv": TEXT})
    with pytest.raises(error, match=message):
        prepare(settings_for(BOTH | changes))


def test_patterns_match_neither_labels_nor_weight(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    write_files({"train.csv": TEXT, "valid.csv": TEXT})
    dataset = prepare(settings_for(BOTH | {"fields": [{"kind": "categorical", "column": "*"}]}))
    assert dataset.schema.names == ("site", "age")


def test_a_split_without_any_weight_is_refused(write_files: WriteFiles, settings_for: SettingsFor) -> None:
    write_files({"train.csv": TEXT, "valid.csv": "click,liked,w,site,age\n1,yes,0,a,1\n0,no,0,b,2\n"})
    with pytest.raises(DataError, match=r"the split valid must hold a weight above 0, but all its 2 weights in column"):
        prepare(settings_for(BOTH))


@pytest.mark.parametrize(("weight", "given"), [("-1", "'-1'"), ("inf", "'inf'"), ("", "a blank")])
def test_a_wrong_weight_is_named_by_its_row(
    write_files: WriteFiles, settings_for: SettingsFor, weight: str, given: str
) -> None:
    write_files({"train.csv": TEXT + f"1,no,{weight},a,1\n", "valid.csv": TEXT})
    with pytest.raises(DataError, match=rf"train.csv, column 'w', row 6: a weight must be .* but {given} was given"):
        prepare(settings_for(BOTH))
