"""The files in which FuxiCTR describes fitted features."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.vocabularies import FittedFeature, has_fitted_features, read_fitted_features

FEATURES: list[dict[str, Any]] = [
    {"group_id": {"type": "meta"}},
    {"price": {"source": "", "type": "numeric"}},
    {"item": {"source": "", "type": "categorical", "padding_idx": 0, "vocab_size": 4}},
    {"history": {"source": "", "type": "sequence", "share_embedding": "item", "vocab_size": 4, "max_len": 5}},
]
ITEMS = {"__PAD__": 0, "a": 1, "b": 2, "__OOV__": 3}


def write(folder: Path, features: Any = FEATURES, vocabularies: Any = None) -> Path:
    known = {"item": ITEMS, "history": ITEMS} if vocabularies is None else vocabularies
    (folder / "feature_map.json").write_text(json.dumps({"dataset_id": "x", "features": features}))
    (folder / "feature_vocab.json").write_text(json.dumps(known))
    return folder


def test_features_come_in_the_order_in_which_they_are_embedded(tmp_path: Path) -> None:
    assert not has_fitted_features(tmp_path)
    assert read_fitted_features(write(tmp_path)) == (
        FittedFeature("price", "numeric", {}, 0, None),
        FittedFeature("item", "categorical", {"a": 1, "b": 2}, 3, None),
        FittedFeature("history", "sequence", {"a": 1, "b": 2}, 3, "item"),
    )
    assert has_fitted_features(tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "text"}, "item must be numeric, categorical or sequence, but its type is 'text'"),
        ({"type": "categorical", "pretrained_emb": "x.npz"}, "item must have rows of its own, but has pretrained"),
        ({"type": "categorical", "category_processor": "hash_bucket"}, "has category_processor hash_bucket"),
        ({}, "must list features as FuxiCTR 2 writes them"),
    ],
)
def test_a_feature_without_equal_is_named(spec: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        read_fitted_features(write(tmp_path, [{"item": spec}]))


def test_a_vocabulary_without_unknown_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"feature_vocab\.json must hold the values of item with __OOV__"):
        read_fitted_features(write(tmp_path, vocabularies={"item": {"a": 1}}))


def test_files_that_are_missing_or_no_json_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"feature_map\.json, but there is no such file"):
        read_fitted_features(tmp_path)
    write(tmp_path)
    (tmp_path / "feature_map.json").write_text("[1]")
    with pytest.raises(SettingsError, match="must hold a JSON mapping, but holds list"):
        read_fitted_features(tmp_path)
    write(tmp_path)
    (tmp_path / "feature_vocab.json").write_text("{")
    with pytest.raises(SettingsError, match="must hold JSON, but cannot be read"):
        read_fitted_features(tmp_path)
