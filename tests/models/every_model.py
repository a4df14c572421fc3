"""Small settings of every model of the catalogue, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import TypeAdapter

from rankelastor.models.catalogue import MODELS, ModelSettings
from rankelastor.models.ranker_settings import RankerSettings

_BLOCKS = {
    "num_tokens": 2,
    "token_dim": 4,
    "num_blocks": 1,
    "tokenizer": {"kind": "joint"},
    "ffn": {"kind": "glu", "hidden_dims": [4], "expansion": 2.0},
}
_DEEP = {"hidden_dims": [6]}
_TOKENS = {"num_tokens": 2, "token_dim": 4, "num_blocks": 2}
_RELU = {"kind": "relu", "num_experts": 3, "hidden_dim": 5}
_LARGE = {"num_tokens": 3, "token_dim": 4, "num_blocks": 3, "head_hidden_dim": 5, "token_hidden_dim": 3, "skip": 1}
_UNI = {"num_tokens": 2, "token_dim": 4, "num_blocks": 2, "hidden_dim": 5, "tokenizer": {"kind": "joint"}}
_RANKUP = {"num_tokens": 4, "token_dim": 12, "num_blocks": 2, "hidden_dim": 5, "tower_dims": [3]}
_WUKONG = {"num_factorized": 2, "num_compressed": 2, "rank": 3, "layer_hidden_dims": [5]}
VARIANTS: dict[str, dict[str, Any]] = {
    "rankelastor": {"kind": "rankelastor", **_BLOCKS},
    "rankelastor-rotation": {"kind": "rankelastor", **_BLOCKS, "rotation": {"kind": "eigenvalue"}},
    "rankelastor-mixings": {"kind": "rankelastor", **_BLOCKS, "mixings": [{"kind": "split"}]},
    "rankelastor-hyper": {"kind": "rankelastor", **_BLOCKS, "ffn": {"kind": "hyper_glu", "hidden_dims": [6]}},
    "rankelastor-first_order": {"kind": "rankelastor", **_BLOCKS, "first_order": True},
    "rankelastor-value_rates": {"kind": "rankelastor", **_BLOCKS, "value_rates": True},
    "rankmixer": {"kind": "rankmixer", **_BLOCKS, "ffn": {"kind": "mlp", "hidden_dims": [6]}},
    "mlp": {"kind": "mlp", **_DEEP},
    "mlp-batch_norm": {"kind": "mlp", **_DEEP, "batch_norm": True},
    "dcn_v2": {"kind": "dcn_v2", **_DEEP},
    "dcn_v2-crossnet": {"kind": "dcn_v2", "structure": "crossnet"},
    "dcn_v2-parallel": {"kind": "dcn_v2", "structure": "parallel", **_DEEP},
    "dcn_v2-mixture": {"kind": "dcn_v2", **_DEEP, "cross": {"kind": "mixture", "rank": 2, "num_experts": 3}},
    "dcn_v2-both": {"kind": "dcn_v2", "structure": "stacked_parallel", **_DEEP, "stacked_hidden_dims": [5]},
    "logistic_regression": {"kind": "logistic_regression"},
    "fm": {"kind": "fm"},
    "deepfm": {"kind": "deepfm", **_DEEP},
    "xdeepfm": {"kind": "xdeepfm", **_DEEP, "cin_dims": [3, 2]},
    "autoint": {"kind": "autoint", "attention_dim": 6, "num_heads": 2},
    "autoint-plus": {"kind": "autoint", **_DEEP, "attention_dim": 6, "layer_norm": True, "scale": True},
    "finalmlp": {"kind": "finalmlp", "stream1": _DEEP, "stream2": {"hidden_dims": [4]}, "num_heads": 2},
    "finalnet": {"kind": "finalnet", "block1": _DEEP, "block2": {"hidden_dims": [4]}, "field_gate": True},
    "finalnet-one": {"kind": "finalnet", "block1": {**_DEEP, "batch_norm": False}},
    "masknet": {"kind": "masknet", **_DEEP},
    "masknet-parallel": {"kind": "masknet", **_DEEP, "structure": "parallel", "num_blocks": 2, "block_dim": 5},
    "fibinet": {"kind": "fibinet", **_DEEP},
    "fibinet-field": {"kind": "fibinet", **_DEEP, "bilinear": "field"},
    "fibinet-all": {"kind": "fibinet", **_DEEP, "bilinear": "all"},
    "multi_embedding": {"kind": "multi_embedding", **_DEEP, "num_tables": 3},
    "multi_embedding-cin": {"kind": "multi_embedding", **_DEEP, "interaction": {"kind": "cin", "layer_dims": [2, 3]}},
    "rankmixer_paper": {"kind": "rankmixer_paper", **_TOKENS},
    "rankmixer_paper-experts": {"kind": "rankmixer_paper", **_TOKENS, "relu_experts": {**_RELU, "routers": "two"}},
    "rankmixer_paper-one_router": {"kind": "rankmixer_paper", **_TOKENS, "relu_experts": {**_RELU, "routers": "one"}},
    "tokenmixer_large": {"kind": "tokenmixer_large", **_LARGE},
    "tokenmixer_large-experts": {
        "kind": "tokenmixer_large", **_LARGE, "experts": {"kind": "top_k", "num_experts": 3, "num_active": 2},
    },
    "tokenmixer_large-bare": {"kind": "tokenmixer_large", **_LARGE, "auxiliary_weight": 0, "skip": None},
    "unimixer": {"kind": "unimixer", **_UNI, "uni_mixing": {"kind": "full", "block_dim": 2}},
    "unimixer-lite": {"kind": "unimixer", **_UNI, "uni_mixing": {"kind": "lite", "block_dim": 2, "rank": 1}},
    "unimixer-after": {
        "kind": "unimixer", **_UNI, "uni_mixing": {"kind": "full", "block_dim": 4, "symmetrise": "after"},
        "siamese_norm": False,
    },
    "unimixer-inside_bare": {
        "kind": "unimixer", **_UNI, "uni_mixing": {"kind": "full", "block_dim": 4}, "inner_residual": False,
    },
    "rankup": {"kind": "rankup", **_RANKUP},
    "rankup-mlp": {"kind": "rankup", **_RANKUP, "num_tables": 1, "global_token": {"kind": "mlp"}},
    "rankup-cross": {
        "kind": "rankup", **_RANKUP, "num_tokens": 6, "crossed": ["site", "user"], "global_token": {"kind": "dcn_v2"},
    },
    "rankup-bare": {"kind": "rankup", **_RANKUP, "global_token": None},
    "wukong": {"kind": "wukong", **_DEEP, **_WUKONG},
    "wukong-relu": {"kind": "wukong", **_DEEP, **_WUKONG, "num_compressed": 1, "last_activation": "relu"},
}  # fmt: skip
"""Settings by name; the name begins with the kind."""


def kind_of(model: type[RankerSettings]) -> str:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    return str(kind)


def small(name: str, **changes: Any) -> RankerSettings:
    adapter: TypeAdapter[RankerSettings] = TypeAdapter(ModelSettings)
    width = {} if name == "logistic_regression" else {"embedding_dim": 4}
    return adapter.validate_python(width | VARIANTS[name] | changes)


COUPLED_BY_STATE = {"rankmixer_paper-experts", "rankmixer_paper-one_router"}
"""Models whose examples are coupled by what a batch leaves behind, not by their logits."""

KINDS = [kind_of(model) for model in MODELS]
