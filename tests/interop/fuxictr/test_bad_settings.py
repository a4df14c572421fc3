"""Tests of settings that cannot be imported: each message names what is allowed."""

from pathlib import Path
from typing import Any

import pytest
from tests.interop.fuxictr.conftest import Change

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.convert import import_experiment


def test_an_unknown_experiment_lists_the_known_ones(published: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"'criteo_e1' was given; did you mean criteo_e10\? known are DIN_kuaivideo"
    ):
        import_experiment(published, "criteo_e1")
    with pytest.raises(SettingsError, match="'Base' was given"):
        import_experiment(published, "Base")


def test_a_folder_without_settings_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"must hold model_config.yaml or model_config/\*.yaml, but holds neither"):
        import_experiment(tmp_path, "a")


def test_a_missing_data_set_lists_the_known_ones(changed: Change) -> None:
    folder = changed("criteo_e20")
    text = (folder / "model_config.yaml").read_text()
    (folder / "model_config.yaml").write_text(
        text + "other: {model: UniMixer, dataset_id: criteo_x2}\nnone: {model: X}\n"
    )
    with pytest.raises(
        SettingsError, match=r"dataset_id of other must be in .*'criteo_x2' was given; known are criteo_x1_7b68"
    ):
        import_experiment(folder, "other")
    with pytest.raises(SettingsError, match="none must name its data set, but has no dataset_id"):
        import_experiment(folder, "none")


def test_broken_yaml_is_named(published: Path) -> None:
    (published / "model_config.yaml").write_text("a: [1, 2\n")
    with pytest.raises(SettingsError, match=r"model_config.yaml must be YAML, but"):
        import_experiment(published, "a")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"preprocess": "convert_age(a)"}, r"feature_cols.a.preprocess must be one of copy_from, .*'convert_age\(a\)'"),
        ({"type": "image"}, r"feature_cols.a.type must be one of \['numeric', .*'meta'\], but 'image' was given"),
        ({"category_processor": "numeric_bucket"}, r"a.category_processor must be one of \['quantile_bucket', "),
        ({"type": "numeric", "preprocess": "convert_hour"}, "convert_hour must be that of a categorical column"),
        ({"type": "numeric", "fill_na": ""}, "feature_cols.a.fill_na must be a number, but '' was given"),
        ({"type": "numeric", "fill_na": "abc"}, "feature_cols.a.fill_na must be a number, but 'abc' was given"),
        ({"min_categr_count": "few"}, "feature_cols.a.min_categr_count must be a whole number, but 'few' was given"),
        ({"type": "sequence", "splitter": "::", "max_len": 5}, r"data.fields.0.separator"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_column_that_cannot_be_read_is_named(column: dict[str, Any], message: str, changed: Change) -> None:
    with pytest.raises(SettingsError, match=message):
        import_experiment(changed("criteo_e10", column=column), "criteo_e10")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"data_format": "npz"}, "data_format must be csv or parquet, but 'npz' was given"),
        ({"train_data": None}, "train_data must name a file"),
        ({"valid_data": None, "test_data": None}, "valid_data must name a file, or valid_size a share"),
        ({"valid_size": 1000}, "must be shares between 0 and 1"),
        ({"label_col": [{"name": "a"}, {"name": "b"}]}, "label_col must name one label"),
        ({"feature_cols": []}, "feature_cols must be a list of columns"),
        ({"feature_cols": [{"type": "numeric"}]}, "feature_cols.0 must have a name"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_data_set_that_cannot_be_read_is_explained(dataset: dict[str, Any], message: str, changed: Change) -> None:
    with pytest.raises(SettingsError, match=message):
        import_experiment(changed("criteo_e10", dataset=dataset), "criteo_e10")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"model": None}, "model must name FuxiCTR's model"),
        ({"mixing_type": 35}, r"mixing_type must be one of \[1, 2, 999, 8881, 8882\], but 35 was given"),
        ({"mixing_type": [2, 999]}, r"must hold one mixing for each of 1 blocks, but \[2, 999\] was given"),
        ({"mixing_type": [35]}, r"mixing_type must be one of .* but 35 was given"),
        (
            {"mixing_type": 2, "Token_num": 15, "Token_dim": 26},
            r"Token_num must divide Token_dim with mixing_type 2, but 15 and 26 were given; try Token_dim 30",
        ),
        ({"pred_head": "attention"}, r"pred_head must be one of \['mlp', 'flatten', 'noparam_mean'\]"),
        ({"interaction_ffn_type": "dcnv2"}, "interaction_ffn_type must be mlp"),
        ({"proj_param": {"trans_type": "cube"}}, r"trans_type must be one of \['matrix', 'vector'\]"),
        ({"embedding_dim": "abc"}, "embedding_dim must be a whole number, but 'abc' was given"),
        ({"learning_rate": "slow"}, "learning_rate must be a number, but 'slow' was given"),
        ({"task": "regression"}, "task must be binary_classification, but 'regression'"),
        ({"monitor": "hit"}, "monitor must be one or several of"),
        ({"embedding_regularizer": "elastic"}, "embedding_regularizer must be a number, l1"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_model_that_has_no_equal_is_explained(model: dict[str, Any], message: str, changed: Change) -> None:
    with pytest.raises(SettingsError, match=message):
        import_experiment(changed("criteo_e10", model=model), "criteo_e10")
