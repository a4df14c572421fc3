"""Rows of FuxiCTR's features of every kind come into the order of our vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.settings import DataSettings
from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.vocabularies import FittedFeature
from rankelastor.interop.imported_rows import copy_rows
from rankelastor.models.build import build_embedding
from rankelastor.nn.embedding.field_embedding import FieldEmbedding

DIM = 2
FEATURES = (
    FittedFeature("price", "numeric", {}, 0, None),
    FittedFeature("item", "categorical", {"b": 1, "a": 2}, 3, None),
    FittedFeature("hour", "categorical", {"23": 1, "00": 2}, 3, None),
    FittedFeature("weekday", "categorical", {"0": 1, "1": 2}, 3, None),  # 0 is Sunday
    FittedFeature("age", "categorical", {"7.0": 1, "0.0": 2}, 3, None),
    FittedFeature("history", "sequence", {"b": 1, "a": 2}, 3, "item"),
)
WEIGHTS: dict[str, Tensor] = {
    "price": torch.tensor([[10.0], [20.0]]),
    **{name: torch.arange(4.0)[:, None].expand(4, DIM) for name in ("item", "hour", "weekday", "age", "history")},
}


@pytest.fixture
def encoder(tmp_path: Path) -> RowEncoder:
    rows = pl.DataFrame(
        {
            "label": [0, 1, 1],
            "price": [1.0, 2.0, 3.0],
            "item": ["a", "a", "b"],
            "hour": ["14102600", "14102600", "14102723"],  # a Sunday, a Monday
            "age": ["7", "7", None],
            "history": ["a b", "a", ""],
        }
    )
    for split in ("train", "valid"):
        rows.write_csv(tmp_path / f"{split}.csv")
    fields: list[dict[str, Any]] = [
        {"kind": "numeric", "column": "price"},
        {"kind": "categorical", "column": "item"},
        {"kind": "calendar", "column": "hour", "format": "yymmddhh", "parts": ["hour", "weekday"]},
        {"kind": "categorical", "column": "age"},
        {"kind": "sequence", "column": "history", "separator": " ", "max_length": 3, "shares": "item"},
    ]
    files = {"folder": str(tmp_path), "train": "train.csv", "valid": "valid.csv"}
    values = {"prepared": str(tmp_path / "prepared"), "files": files, "label": "label", "fields": fields}
    return RowEncoder.load(prepare(DataSettings.model_validate(values)).folder)


def embedding_of(encoder: RowEncoder) -> FieldEmbedding:
    return build_embedding(encoder.schema, embedding_dim=DIM)


def rows_by_value(encoder: RowEncoder, embedding: FieldEmbedding, name: str) -> dict[str | None, float]:
    place = [feature.name for feature in encoder.schema.with_ids].index(name)
    rows = embedding.row_ranges[place]
    assert rows is not None
    values = encoder.vocabularies[name].values_by_id().to_list()[1:]
    return dict(zip(values, embedding.table[rows, 0].tolist(), strict=True))


def test_each_value_gets_its_row_whatever_its_spelling(encoder: RowEncoder) -> None:
    embedding = embedding_of(encoder)
    copy_rows(embedding, encoder, FEATURES, WEIGHTS, blanks={"age": "0"})
    assert embedding.numeric_vectors.tolist() == [[10.0, 20.0]]
    assert rows_by_value(encoder, embedding, "item") == {"a": 2.0, "b": 1.0, None: 3.0}
    assert rows_by_value(encoder, embedding, "hour_hour") == {"0": 2.0, "23": 1.0, None: 3.0}
    assert rows_by_value(encoder, embedding, "hour_weekday") == {"6": 1.0, "0": 2.0, None: 3.0}
    assert rows_by_value(encoder, embedding, "age") == {"7": 1.0, "": 2.0, None: 3.0}  # a blank number is 0 there


def test_values_are_counted_by_field(encoder: RowEncoder) -> None:
    features = [*FEATURES]
    features[1] = FittedFeature("item", "categorical", {"b": 1, "z": 2}, 3, None)
    matched = copy_rows(embedding_of(encoder), encoder, features, WEIGHTS, blanks={})
    counts = {each.field: (each.num_values, each.num_unknown, each.num_lost) for each in matched}
    assert counts["item"] == (2, 1, 1)
    assert "history" not in counts


def test_a_missing_or_misshapen_weight_is_named(encoder: RowEncoder) -> None:
    without = {name: weight for name, weight in WEIGHTS.items() if name != "age"}
    with pytest.raises(SettingsError, match=r"must hold embedding_layers\.age\.weight, but does not"):
        copy_rows(embedding_of(encoder), encoder, FEATURES, without, blanks={})
    with pytest.raises(SettingsError, match=r"price\.weight must have the shape \(2, 1\).*but has \(3, 1\)"):
        copy_rows(embedding_of(encoder), encoder, FEATURES, WEIGHTS | {"price": torch.zeros(3, 1)}, blanks={})


def test_a_field_of_another_kind_is_refused(encoder: RowEncoder) -> None:
    features = [FittedFeature("price", "categorical", {}, 1, None), *FEATURES[1:]]
    with pytest.raises(
        SettingsError, match=r"field 1 of the recipe must be price \(categorical\).* but is price \(num"
    ):
        copy_rows(embedding_of(encoder), encoder, features, WEIGHTS, blanks={})
