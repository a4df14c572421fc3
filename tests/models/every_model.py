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
VARIANTS: dict[str, dict[str, Any]] = {
    "rankelastor": {"kind": "rankelastor", **_BLOCKS},
    "rankelastor-rotation": {"kind": "rankelastor", **_BLOCKS, "rotation": {"kind": "eigenvalue"}},
    "rankelastor-mixings": {"kind": "rankelastor", **_BLOCKS, "mixings": [{"kind": "split"}]},
    "rankelastor-hyper": {"kind": "rankelastor", **_BLOCKS, "ffn": {"kind": "hyper_glu", "hidden_dims": [6]}},
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
}
"""Settings by name; the name begins with the kind."""


def kind_of(model: type[RankerSettings]) -> str:
    (kind,) = get_args(model.model_fields["kind"].annotation)
    return str(kind)


def small(name: str, **changes: Any) -> RankerSettings:
    adapter: TypeAdapter[RankerSettings] = TypeAdapter(ModelSettings)
    width = {} if name == "logistic_regression" else {"embedding_dim": 4}
    return adapter.validate_python(width | VARIANTS[name] | changes)


KINDS = [kind_of(model) for model in MODELS]
