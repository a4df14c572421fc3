"""Tests of the tables of mixings, FFNs, tokenizers and heads: their kinds and defaults."""

from __future__ import annotations

from typing import Any

import pytest

from rankelastor.models.ffns import FFNS
from rankelastor.models.heads import HEADS
from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.mixings import MIXINGS
from rankelastor.models.tokenizers import TOKENIZERS

TABLES = {"mixing": MIXINGS, "ffn": FFNS, "tokenizer": TOKENIZERS, "head": HEADS}
MLP = {"hidden_dims": (), "activation": "relu", "norm": True, "dropout": 0.0}
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("mixing", "split", {}, {}),
    ("mixing", "full", {}, {}),
    ("mixing", "kronecker", {"num_groups": 3}, {"norm": "pre"}),
    ("mixing", "low_rank", {"rank": 2}, {}),
    ("mixing", "block", {"block_dim": 6}, {"global_map": {"kind": "plain"}}),
    ("mixing", "identity", {}, {}),
    ("ffn", "mlp", {"hidden_dims": (5,)}, {"activation": "gelu", "norm": False, "dropout": 0.0}),
    (
        "ffn",
        "glu",
        {"hidden_dims": (5,)},
        {"expansion": 3.0, "gate": "published", "norm": True, "dropout": 0.0, "bias": True},
    ),
    (
        "ffn",
        "hyper_glu",
        {"hidden_dims": (5,)},
        {"expansion": 3.0, "num_streams": 4, "norm": True, "dropout": 0.0, "bias": True},
    ),
    ("ffn", "swiglu", {"hidden_dim": 5}, {"down_scale": 1.0}),
    (
        "ffn",
        "top_k_experts",
        {"hidden_dim": 5},
        {"num_experts": 4, "num_active": 2, "softmax": "all", "down_scale": 1.0},
    ),
    ("tokenizer", "split", {}, MLP),
    ("tokenizer", "joint", {}, MLP),
    ("tokenizer", "grouped", {"groups": {"x": ("a",), "y": ("b", "c")}}, MLP),
    ("tokenizer", "none", {}, {}),
    ("tokenizer", "per_token_split", {}, {"field_order": (), "norm": True}),
    ("head", "mlp", {}, {}),
    ("head", "linear", {}, {}),
    ("head", "mean", {}, {}),
    ("head", "pooled", {}, MLP),
]


@pytest.mark.parametrize(("part", "kind", "needed", "defaults"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_defaults_are_what_old_recipes_mean(
    part: str, kind: str, needed: dict[str, Any], defaults: dict[str, Any]
) -> None:
    choice: LayerChoice = TABLES[part]
    assert choice.settings(kind, needed).model_dump() == {"kind": kind, **needed, **defaults}


def test_every_kind_is_covered_here() -> None:
    covered = {(part, kind) for part, kind, *_ in CASES}
    assert covered == {(part, kind) for part, choice in TABLES.items() for kind in choice.classes}


def test_the_settings_of_the_sinkhorn_map() -> None:
    settings = MIXINGS.settings("block", {"block_dim": 2, "global_map": {"kind": "sinkhorn"}})
    assert settings.model_dump()["global_map"] == {
        "kind": "sinkhorn",
        "start_temperature": 1.0,
        "end_temperature": 0.05,
        "fall_epochs": 1.0,
        "iterations": 20,
    }
