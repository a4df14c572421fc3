"""What cannot work is said before any data are read: the files of these recipes do not exist, or are not touched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rankelastor.errors import DataError, SettingsError
from rankelastor.recipes.load import recipe_from_values
from rankelastor.training.run import train

FIELDS: list[dict[str, Any]] = [{"kind": "categorical", "column": ["site", "user"]}]
HISTORY = {"kind": "sequence", "column": "past", "max_length": 3, "shares": "site"}
TOKENS = {"num_tokens": 2, "token_dim": 4, "num_blocks": 1, "embedding_dim": 4}
DEEP = {"hidden_dims": [4]}
GLU = {"kind": "glu", "hidden_dims": [4]}
MIXER = {"kind": "rankelastor", **TOKENS, "tokenizer": {"kind": "joint"}, "ffn": GLU}


def recipe_values(folder: Path, model: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = {
        "prepared": str(folder / "prepared"),
        "files": {"folder": str(folder / "nowhere"), "train": "train.csv", "valid": "valid.csv"},
        "label": "click",
        "fields": FIELDS,
    }
    return {"name": "bad", "data": data | changes.pop("data", {}), "model": model, **changes}


def run(folder: Path, model: dict[str, Any], **changes: Any) -> None:
    train(recipe_from_values(recipe_values(folder, model, **changes)), folder=folder / "run")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MIXER | {"tokenizer": {"kind": "none"}, "token_dim": 5}, r"model: field \* embedding_dim must equal"),
        (MIXER | {"num_tokens": 3, "tokenizer": {"kind": "split"}}, r"num_tokens must divide field \* embedding_dim"),
        (MIXER | {"mixing": {"kind": "kronecker", "num_groups": 3}}, "num_groups must divide"),
        (MIXER | {"kind": "rankmixer", "num_tokens": 3, "ffn": {"kind": "mlp", "hidden_dims": [4]}}, "must divide"),
        (MIXER | {"tokenizer": {"kind": "grouped", "groups": {"a": ["site"], "b": ["age"]}}}, "age"),
        ({"kind": "rankup", **TOKENS, "num_tokens": 8, "token_dim": 8, "hidden_dim": 4}, "must leave at most 2 groups"),
        ({"kind": "finalmlp", "stream1": DEEP | {"context": ["age"]}, "stream2": DEEP}, "age"),
        ({"kind": "autoint", "attention_dim": 5, "num_heads": 2}, "num_heads must divide"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit_are_said_before_data_are_read(
    model: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        run(tmp_path, model)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"kind": "mlp", "hidden_dims": [4], "num_tokens": 3},
            "unknown setting model.num_tokens; only other kinds have it",
        ),
        ({"kind": "fm", "hidden_dims": [4]}, "unknown setting model.hidden_dims; only other kinds have it"),
        (MIXER | {"ffn": GLU | {"hidden": 3}}, "unknown setting model.ffn.hidden; did you mean hidden_dims"),
        ({"kind": "dcnv3"}, "model.kind must be one of"),
    ],
)
def test_settings_that_a_model_does_not_know_are_named(model: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        run(tmp_path, model)


def test_a_sequence_model_needs_a_field_of_lists(tmp_path: Path) -> None:
    model = {"kind": "mlp", "hidden_dims": [4], "sequence": {"kind": "target_attention"}}
    with pytest.raises(SettingsError, match=r"model\.sequence needs a field of lists, but data\.fields has none"):
        run(tmp_path, model)
    lists = {"fields": [*FIELDS, HISTORY]}
    other = {"kind": "mlp", "hidden_dims": [4], "sequence": {"kind": "target_attention", "target": "age"}}
    with pytest.raises(SettingsError, match="age"):
        run(tmp_path, other, data=lists)


def test_a_task_that_no_label_has_is_named(tmp_path: Path) -> None:
    labels = {"label": None, "labels": {"click": "click", "buy": "buy"}}
    model = {"kind": "mlp", "hidden_dims": [4], "tasks": {"kind": "esmm", "after": {"pay": "click"}}}
    with pytest.raises(SettingsError, match="'pay' was given; add a label of this name"):
        run(tmp_path, model, data=labels)
    plain = {"kind": "mlp", "hidden_dims": [4]}
    with pytest.raises(SettingsError, match=r"task_weights must name tasks of \['click', 'buy'\], but \['pay'\]"):
        run(tmp_path, plain, data=labels, training={"task_weights": {"pay": 1}})
    with pytest.raises(SettingsError, match="pay"):
        run(tmp_path, plain, data=labels, training={"monitor": "pay.auc"})


def test_a_label_with_one_value_only_is_refused_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "nowhere").mkdir()
    for split in ("train", "valid"):
        (tmp_path / "nowhere" / f"{split}.csv").write_text("click,site,user\n1,a,u\n1,b,v\n")
    with pytest.raises(DataError, match=r"the split train must hold labels 0 and 1, but all its 2 labels are 1"):
        run(tmp_path, {"kind": "fm"})
    assert not (tmp_path / "prepared").exists()
    assert not (tmp_path / "run").exists()


def test_what_fits_goes_on_to_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        run(tmp_path, MIXER)
    with pytest.raises(DataError, match="does not exist"):
        run(tmp_path, MIXER, data={"fields": [{"kind": "categorical", "column": "s*"}]})
