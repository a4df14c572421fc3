"""Tests of feature columns of FuxiCTR: each option has an equal or a note."""

from typing import Any

import pytest
from tests.interop.fuxictr.conftest import Change

from rankelastor.interop.fuxictr.convert import Imported, import_experiment


@pytest.fixture
def imported(changed: Change) -> Any:
    def convert(column: dict[str, Any], dataset: dict[str, Any] | None = None) -> Imported:
        return import_experiment(changed("criteo_e10", column=column, dataset=dataset), "criteo_e10")

    return convert


VECTORS_OF_PARQUET = {"file": "../../x/v.parquet", "trained": False, "key": "key", "vector": "value"}
SEQUENCE = {"type": "sequence", "splitter": "^", "max_len": 5, "padding": "pre"}


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ({}, {"kind": "categorical", "column": "a", "min_count": 1, "blank": "out_of_vocabulary"}),
        ({"name": ["a", "b"], "min_categr_count": 3}, {"column": ["a", "b"], "min_count": 3}),
        ({"preprocess": "copy_from(b)"}, {"column": "b", "name": "a"}),
        ({"type": "numeric", "dtype": "float"}, {"kind": "numeric", "column": "a"}),
        ({"type": "numeric", "dtype": "float", "fill_na": -1, "normalizer": "MinMaxScaler"},
         {"kind": "numeric", "blank": -1.0, "transform": "min_max"}),
        ({"type": "numeric", "normalizer": "StandardScaler"}, {"transform": "standardise"}),
        ({"preprocess": "convert_weekend(hour)"}, {"kind": "calendar", "column": "hour", "parts": ["weekend"]}),
        ({"preprocess": "convert_hour"}, {"kind": "calendar", "column": "hour", "format": "yymmddhh"}),
        ({"preprocess": "convert_to_bucket(I1)"}, {"kind": "quantile", "column": "I1", "name": "a"}),
        ({"type": "numeric", "preprocess": "convert_to_bucket(I1)"}, {"kind": "quantile", "column": "I1", "name": "a"}),
        ({"category_processor": "quantile_bucket", "num_buckets": 7}, {"kind": "quantile", "num_buckets": 7}),
        ({"category_processor": "hash_bucket"}, {"kind": "hashed", "num_buckets": 10}),
        (SEQUENCE, {"kind": "sequence", "separator": "^", "max_length": 5, "min_count": 1}),
        ({"pretrained_emb": "x/v.h5", "freeze_emb": False}, {"pretrained": {"file": "../../x/v.h5", "trained": True}}),
        ({"pretrained_emb": "x/v.parquet"}, {"pretrained": VECTORS_OF_PARQUET}),
    ],
)  # fmt: skip
def test_a_column_becomes_a_field(column: dict[str, Any], field: dict[str, Any], imported: Any) -> None:
    dataset = {f"{split}_data": f"raw/Criteo/{split}.csv" for split in ("train", "valid", "test")}
    made = imported(column, dataset).values["data"]["fields"][0]
    assert {key: made.get(key) for key in field} == field


@pytest.mark.parametrize(
    ("column", "outcome", "path", "text"),
    [
        ({"dtype": "float"}, "differs", "dtype", "in FuxiCTR it counts as the value 0"),
        ({"fill_na": "-1"}, "differs", "fill_na", "out of vocabulary in FuxiCTR, like blanks"),
        ({"source": "user"}, "no equal", "source", "all fields go into one ranker"),
        ({"remap": False}, "no equal", "remap", "mapped to ids by the train split"),
        ({"preprocess": "convert_to_bucket(I1)"}, "no equal", "preprocess", "quantile buckets of the train split"),
        ({"type": "numeric", "preprocess": "convert_to_bucket"}, "no equal", "preprocess", "quantile buckets"),
        (SEQUENCE | {"preprocess": "convert_to_bucket"}, "no equal", "preprocess", "elements are not changed"),
        ({"type": "numeric", "normalizer": "RobustScaler"}, "no equal", "normalizer", "numbers are not scaled"),
        ({"feature_encoder": "nn.ReLU()"}, "no equal", "feature_encoder", "goes to the tokenizer unchanged"),
        ({"pretrained_emb": "v.h5", "pretrain_usage": "sum"}, "no equal", "pretrain_usage", "without a learned row"),
        (SEQUENCE | {"padding": "post"}, "differs", "padding", "FuxiCTR keeps the oldest"),
        (SEQUENCE | {"max_len": 0}, "differs", "max_len", "longest list of the train split; 100 is used instead"),
        (SEQUENCE | {"feature_encoder": "layers.MaskedSumPooling()"}, "no equal", "feature_encoder", "takes the mean"),
        (SEQUENCE | {"feature_encoder": None}, "no equal", "feature_encoder", "takes the mean"),
        (SEQUENCE | {"pretrained_emb": "v.h5"}, "no equal", "pretrained_emb", "learned rows are used instead"),
    ],
)
def test_what_a_column_loses_is_noted(
    column: dict[str, Any], outcome: str, path: str, text: str, imported: Any
) -> None:
    found = {note.setting: note for note in imported(column).notes}[f"feature_cols.a.{path}"]
    assert found.outcome == outcome
    assert text in found.text


@pytest.mark.parametrize("rules", [{}, SEQUENCE], ids=["categorical", "sequence"])
def test_a_shared_embedding_is_a_shared_vocabulary(rules: dict[str, Any], changed: Change) -> None:
    columns = [{"dtype": "str", "type": "categorical", "name": "b"}]
    columns.append({"dtype": "str", "type": "categorical", "name": "a", "share_embedding": "b"} | rules)
    made = import_experiment(changed("criteo_e10", dataset={"feature_cols": columns}), "criteo_e10")
    field = made.values["data"]["fields"][1]
    assert (field["shares"], field["column"], "min_count" in field) == ("b", "a", False)
    shared = next(note for note in made.notes if note.setting == "feature_cols.a.share_embedding")
    assert shared.text.startswith("one vocabulary counts b and all that share it together")


def test_mean_pooling_of_a_sequence_needs_no_note(imported: Any) -> None:
    made = imported(SEQUENCE | {"feature_encoder": "layers.MaskedAveragePooling()"})
    assert not [note for note in made.notes if note.setting.startswith("feature_cols")]


def test_a_group_that_is_a_feature_too_gets_a_name_of_its_own(imported: Any) -> None:
    fields = imported({"name": "user"}, {"group_id": "user"}).values["data"]["fields"]
    assert fields[-1] == {"kind": "group", "column": "user", "name": "user_group"}


def test_a_meta_column_that_is_no_group_is_left_out(changed: Change) -> None:
    columns = [
        {"active": True, "dtype": "str", "type": "categorical", "name": "a"},
        {"active": True, "dtype": "int", "type": "meta", "name": "when"},
        {"active": False, "dtype": "int", "type": "categorical", "name": "off"},
    ]
    made = import_experiment(changed("criteo_e10", dataset={"feature_cols": columns}), "criteo_e10")
    assert [field["column"] for field in made.values["data"]["fields"]] == ["a"]
    assert "feature_cols.when.type" in {note.setting for note in made.notes}


def test_use_features_chooses_and_orders_the_columns(changed: Change) -> None:
    folder = changed("criteo_e10", model={"use_features": ["C2", "I1"]})
    fields = import_experiment(folder, "criteo_e10").values["data"]["fields"]
    assert [field["column"] for field in fields] == ["C2", "I1"]


def test_a_name_in_use_features_that_no_column_has_is_noted(changed: Change) -> None:
    made = import_experiment(changed("criteo_e10", model={"use_features": ["C2", "C99", "I1"]}), "criteo_e10")
    (note,) = (note for note in made.notes if note.setting == "use_features")
    assert note.text == "no active column is named C99"
