"""Tests of experiments with models of FuxiCTR's zoo that have an equal here."""

from __future__ import annotations

from typing import Any

import pytest
from tests.interop.fuxictr.conftest import Change
from tests.interop.fuxictr.test_convert import notes

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.convert import Imported, import_experiment
from rankelastor.models.ranker_settings import RankerSettings

DEEP = {"hidden_dims": (400, 300), "activation": "tanh", "norm": False, "batch_norm": False, "dropout": 0.2}


def given(imported: Imported) -> dict[str, Any]:
    """The settings of the model that differ from what every ranker has by default."""
    common = {name: field.default for name, field in RankerSettings.model_fields.items()}
    dumped = imported.recipe.model.model_dump()
    return {name: value for name, value in dumped.items() if name not in common or value != common[name]}


def imported_with(changed: Change, model: dict[str, Any]) -> Imported:
    return import_experiment(changed("DIN_taobaoad", model=model), "DIN_taobaoad")


def test_a_dnn_is_an_mlp(changed: Change) -> None:
    model = {"model": "DNN", "hidden_units": [400, 300], "hidden_activations": "Tanh", "net_dropout": 0.2}
    imported = imported_with(changed, model)
    assert given(imported) == {"kind": "mlp", "embedding_dim": 32, **DEEP}
    assert "model" not in notes(imported, "no equal")


def test_defaults_are_those_of_fuxictr(changed: Change) -> None:
    dumped = given(imported_with(changed, {"model": "DNN"}))
    assert dumped == {
        "kind": "mlp",
        "embedding_dim": 32,
        "hidden_dims": (64, 64, 64),
        "activation": "relu",
        "norm": False,
        "batch_norm": False,
        "dropout": 0.0,
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"model_structure": "crossnet_only"}, {"structure": "crossnet", "hidden_dims": ()}),
        (
            {"model_structure": "stacked", "stacked_dnn_hidden_units": [5]},
            {"structure": "stacked", "hidden_dims": (5,)},
        ),
        ({"parallel_dnn_hidden_units": [6], "num_cross_layers": 2}, {"structure": "parallel", "num_cross_layers": 2}),
        ({"parallel_dnn_hidden_units": [6], "net_dropout": [0.1]}, {"hidden_dims": (6,), "dropout": 0.1}),
    ],
    ids=str,
)
def test_dcn_v2_keeps_its_structure(model: dict[str, Any], expected: dict[str, Any], changed: Change) -> None:
    dumped = imported_with(changed, {"model": "DCNv2"} | model).recipe.model.model_dump()
    assert dumped["kind"] == "dcn_v2"
    assert {key: dumped[key] for key in expected} == expected


def test_all_of_dcn_v2_carries_over(changed: Change) -> None:
    model = {
        "model": "DCNv2",
        "model_structure": "stacked_parallel",
        "stacked_dnn_hidden_units": [4],
        "parallel_dnn_hidden_units": [5],
        "use_low_rank_mixture": True,
        "low_rank": 16,
        "batch_norm": True,
    }
    imported = imported_with(changed, model)
    assert given(imported) == {
        "kind": "dcn_v2",
        "embedding_dim": 32,
        "structure": "stacked_parallel",
        "num_cross_layers": 3,
        "cross": {"kind": "mixture", "rank": 16, "num_experts": 4},
        "hidden_dims": (5,),
        "stacked_hidden_dims": (4,),
        "activation": "relu",
        "norm": False,
        "batch_norm": True,
        "dropout": 0.0,
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"model": "LR"}, {"kind": "logistic_regression", "embedding_dim": 1}),
        ({"model": "FM"}, {"kind": "fm", "embedding_dim": 32}),
        (
            {"model": "DeepFM", "hidden_units": [5], "batch_norm": True},
            {"kind": "deepfm", "hidden_dims": (5,), "batch_norm": True},
        ),
        (
            {"model": "xDeepFM", "cin_hidden_units": [3, 2], "dnn_hidden_units": [5], "dnn_activations": "tanh"},
            {"kind": "xdeepfm", "cin_dims": (3, 2), "hidden_dims": (5,), "activation": "tanh"},
        ),
        ({"model": "xDeepFM"}, {"cin_dims": (16, 16, 16), "hidden_dims": (64, 64, 64)}),
        (
            {"model": "AutoInt", "attention_layers": 3, "attention_dim": 6, "num_heads": 2, "use_scale": True,
             "layer_norm": True, "use_residual": False, "net_dropout": 0.1},
            {"kind": "autoint", "num_attention_layers": 3, "attention_dim": 6, "num_heads": 2, "scale": True,
             "layer_norm": True, "residual": False, "dropout": 0.1, "hidden_dims": (64, 64, 64)},
        ),
        (
            {"model": "AutoInt", "dnn_hidden_units": []},
            {"num_attention_layers": 2, "attention_dim": 8, "hidden_dims": ()},
        ),
        (
            {"model": "FinalMLP", "use_fs": False, "num_heads": 2},
            {"kind": "finalmlp", "gate_dims": None, "num_heads": 2},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_other_models_carry_over(model: dict[str, Any], expected: dict[str, Any], changed: Change) -> None:
    imported = imported_with(changed, model)
    dumped = imported.recipe.model.model_dump()
    assert {key: dumped[key] for key in expected} == expected
    assert "model" not in notes(imported, "no equal") | notes(imported, "cannot work")


def test_streams_of_finalmlp_carry_over(changed: Change) -> None:
    first = {"mlp1_hidden_units": [6, 4], "mlp1_hidden_activations": "tanh", "mlp1_dropout": 0.1, "fs1_context": ["a"]}
    second = {"mlp2_hidden_units": [8], "mlp2_batch_norm": True}
    imported = imported_with(changed, {"model": "FinalMLP", "fs_hidden_units": [5], **first, **second})
    dumped = given(imported)
    plain = {"activation": "relu", "norm": False, "batch_norm": False, "dropout": 0.0, "context": ()}
    assert dumped["stream1"] == plain | {
        "hidden_dims": (6, 4), "activation": "tanh", "dropout": 0.1, "context": ("a",),
    }  # fmt: skip
    assert dumped["stream2"] == plain | {"hidden_dims": (8,), "batch_norm": True}
    assert dumped["gate_dims"] == (5,)
    assert notes(imported, "differs")["fs1_context"].startswith("the gate reads the embeddings that the streams read")


def test_the_regularizer_of_models_without_a_network_is_that_of_embeddings(changed: Change) -> None:
    for name in ("LR", "FM"):
        imported = imported_with(changed, {"model": name, "regularizer": 1e-3, "embedding_regularizer": 1})
        assert imported.recipe.training.optimiser.embedding_l2 == 1e-3
        assert "embedding_regularizer" in notes(imported, "ignored by FuxiCTR")


def test_parts_without_an_equal_are_said(changed: Change) -> None:
    assert "use_wide" in notes(imported_with(changed, {"model": "AutoInt", "use_wide": True}), "no equal")
    assert "dnn_hidden_units" in notes(imported_with(changed, {"model": "xDeepFM", "dnn_hidden_units": []}), "no equal")


def test_a_model_that_is_here_but_not_translated_is_named(changed: Change) -> None:
    imported = imported_with(changed, {"model": "MaskNet"})
    assert imported.recipe.model.kind == "rankelastor"
    assert "model.kind: masknet exists here; a small RankElastor" in notes(imported, "differs")["model"]
    assert "model" not in notes(imported, "no equal")


def test_what_fuxictr_does_not_read_is_said(changed: Change) -> None:
    imported = imported_with(changed, {"model": "DCNv2", "parallel_dnn_hidden_units": [5], "low_rank": 16, "novel": 1})
    ignored = notes(imported, "ignored by FuxiCTR")
    assert ignored["low_rank"] == "only read with use_low_rank_mixture, which is off"
    assert ignored["novel"] == "DCNv2 accepts any setting and does not read this one"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"model": "DCNv2", "model_structure": "deep"}, r"model_structure must be one of \['crossnet_only', .*'deep'"),
        (
            {"model": "DNN", "hidden_activations": "Dice"},
            "hidden_activations must be one of relu, gelu, silu, tanh, identity, but 'dice'",
        ),
        ({"model": "DNN", "net_dropout": [0.1, 0.2]}, "net_dropout must be the same for every hidden layer"),
        ({"model": "DCNv2"}, "model.hidden_dims must hold at least one width with structure: parallel"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_imported_is_named(model: dict[str, Any], message: str, changed: Change) -> None:
    with pytest.raises(SettingsError, match=message):
        imported_with(changed, model)
