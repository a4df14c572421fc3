"""The models that peers.py compares, each with our settings and with FuxiCTR's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from benchmarks.speed.workloads import CLICK_RATE, Workload, zipf_ids
from pydantic import TypeAdapter
from torch import Tensor

from rankelastor.models.catalogue import ModelSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.schema import Batch, CategoricalFeature, Feature, FeatureSchema, NumericFeature, SequenceFeature

Field = Mapping[str, Any]
_ADAPTER: TypeAdapter[RankerSettings] = TypeAdapter(ModelSettings)


@dataclass(frozen=True)
class PeerModel:
    """One model on given fields: our settings, and FuxiCTR's class and settings."""

    fields: Sequence[Field]
    own: Mapping[str, Any]
    model: str
    settings: Mapping[str, Any]

    @property
    def ours(self) -> RankerSettings:
        """Our settings, validated."""
        return _ADAPTER.validate_python(dict(self.own))

    def for_fuxictr(self) -> dict[str, Any]:
        """Describe the model for the worker with fuxictr."""
        return {"fields": [dict(field) for field in self.fields], "model": self.model, "settings": dict(self.settings)}

    def draw(self, num_rows: int) -> dict[str, Tensor]:
        """Draw a batch by field; ids follow Zipf's law, sequences are padded on the left."""
        generator = np.random.default_rng(1)
        inputs = {field["name"]: _draw(field, generator, num_rows) for field in self.fields}
        return inputs | {"label": torch.from_numpy((generator.random(num_rows) < CLICK_RATE).astype(np.float32))}


def schema_of(fields: Sequence[Field]) -> FeatureSchema:
    """Make the schema of fields."""
    return FeatureSchema(tuple(map(_feature, fields)))


def batch_of(fields: Sequence[Field], inputs: Mapping[str, Tensor], kind: torch.dtype) -> Batch:
    """Make a batch of inputs by field; numbers get this type."""
    by_kind = {
        each: [inputs[field["name"]] for field in fields if field["kind"] == each]
        for each in ("numeric", "categorical", "sequence")
    }
    label = inputs.get("label")
    return Batch(
        categorical=torch.stack(by_kind["categorical"], dim=1).int(),
        numeric=torch.stack(by_kind["numeric"], dim=1).to(kind),
        labels=None if label is None else label.unsqueeze(1).float(),
        group=None,
        sequence=torch.cat(by_kind["sequence"], dim=1).int() if by_kind["sequence"] else None,
    )


def _feature(field: Field) -> Feature:
    match field["kind"]:
        case "numeric":
            return NumericFeature(field["name"])
        case "categorical":
            return CategoricalFeature(field["name"], field["num_ids"])
        case _:
            return SequenceFeature(field["name"], field["num_ids"], field["max_length"], shares=field["shares"])


def _draw(field: Field, generator: np.random.Generator, num_rows: int) -> Tensor:
    if field["kind"] == "numeric":
        return torch.from_numpy(generator.random(num_rows, dtype=np.float32))
    if field["kind"] == "categorical":
        return torch.from_numpy(zipf_ids(generator, field["num_ids"], num_rows)).long()
    length = field["max_length"]
    ids = zipf_ids(generator, field["num_ids"], num_rows * length).reshape(num_rows, length)
    kept = np.arange(length) >= length - generator.integers(0, length + 1, (num_rows, 1))
    return torch.from_numpy(ids * kept).long()


_SMALL: list[Field] = [
    *({"name": name, "kind": "numeric"} for name in ("n0", "n1")),
    *({"name": f"c{place}", "kind": "categorical", "num_ids": ids} for place, ids in enumerate((6, 7, 9))),
]
_HISTORY: Field = {"name": "h", "kind": "sequence", "num_ids": 9, "max_length": 4, "shares": "c2"}
_HIDDEN = {"hidden_dims": [6, 5], "batch_norm": True}
_E = {"embedding_dim": 4}
PARITY: dict[str, PeerModel] = {
    "MLP": PeerModel(
        _SMALL, {"kind": "mlp", **_E, **_HIDDEN}, "DNN", {**_E, "hidden_units": [6, 5], "batch_norm": True}
    ),
    "DCNv2": PeerModel(
        _SMALL,
        {"kind": "dcn_v2", **_E, **_HIDDEN, "structure": "parallel", "num_cross_layers": 2},
        "DCNv2",
        {**_E, "model_structure": "parallel", "parallel_dnn_hidden_units": [6, 5], "num_cross_layers": 2,
         "batch_norm": True},
    ),
    "DCNv2 of mixtures": PeerModel(
        _SMALL,
        {"kind": "dcn_v2", **_E, **_HIDDEN, "structure": "stacked", "num_cross_layers": 2,
         "cross": {"kind": "mixture", "rank": 3, "num_experts": 2}},
        "DCNv2",
        {**_E, "model_structure": "stacked", "stacked_dnn_hidden_units": [6, 5], "num_cross_layers": 2,
         "batch_norm": True, "use_low_rank_mixture": True, "low_rank": 3, "num_experts": 2},
    ),
    "xDeepFM": PeerModel(
        _SMALL,
        {"kind": "xdeepfm", **_E, **_HIDDEN, "cin_dims": [3, 2]},
        "xDeepFM",
        {**_E, "dnn_hidden_units": [6, 5], "cin_hidden_units": [3, 2], "batch_norm": True},
    ),
    "AutoInt": PeerModel(
        _SMALL,
        {"kind": "autoint", **_E, **_HIDDEN, "attention_dim": 6, "num_heads": 2, "layer_norm": True, "scale": True},
        "AutoInt",
        {**_E, "dnn_hidden_units": [6, 5], "batch_norm": True, "attention_dim": 6, "num_heads": 2, "layer_norm": True,
         "use_scale": True},
    ),
    "FinalMLP": PeerModel(
        _SMALL,
        {"kind": "finalmlp", **_E, "stream1": {"hidden_dims": [6, 4], "context": ["n1", "c0"], "batch_norm": True},
         "stream2": {"hidden_dims": [8]}, "gate_dims": [5], "num_heads": 2},
        "FinalMLP",
        {**_E, "mlp1_hidden_units": [6, 4], "mlp1_batch_norm": True, "mlp2_hidden_units": [8], "fs_hidden_units": [5],
         "fs1_context": ["n1", "c0"], "num_heads": 2},
    ),
    "DIN": PeerModel(
        [*_SMALL, _HISTORY],
        {"kind": "mlp", **_E, "hidden_dims": [6, 5],
         "sequence": {"kind": "target_attention", "hidden_dims": [5], "activation": "dice"}},
        "DIN",
        {**_E, "dnn_hidden_units": [6, 5], "attention_hidden_units": [5], "din_target_field": ["c2"],
         "din_sequence_field": ["h"]},
    ),
}  # fmt: skip
"""Small models, each with what may go wrong: batch norm, several heads, contexts, a padded sequence."""

_CRITEO = Workload("criteo", _ADAPTER.validate_python({"kind": "logistic_regression"}), 13, 26, 500_000, 1e-5).schema  # type: ignore[arg-type]
_LARGE: list[Field] = [
    *({"name": each.name, "kind": "numeric"} for each in _CRITEO.numeric),
    *({"name": each.name, "kind": "categorical", "num_ids": each.num_ids} for each in _CRITEO.categorical),
]
_LAST = _LARGE[-1]
_CLICKS: Field = {
    "name": "clicks", "kind": "sequence", "num_ids": _LAST["num_ids"], "max_length": 50, "shares": _LAST["name"]
}  # fmt: skip
_TEN = {"embedding_dim": 10}
_L2 = {"embedding_dim": 10, "embedding_regularizer": 1e-5}
_WIDE = [400, 400, 400]
TIMED: dict[str, PeerModel] = {
    "MLP": PeerModel(_LARGE, {"kind": "mlp", **_TEN, "hidden_dims": _WIDE}, "DNN", {**_L2, "hidden_units": _WIDE}),
    "DCNv2": PeerModel(
        _LARGE,
        {"kind": "dcn_v2", **_TEN, "hidden_dims": _WIDE, "structure": "parallel"},
        "DCNv2",
        {**_L2, "parallel_dnn_hidden_units": _WIDE},
    ),
    "DeepFM": PeerModel(
        _LARGE, {"kind": "deepfm", **_TEN, "hidden_dims": _WIDE}, "DeepFM", {**_L2, "hidden_units": _WIDE}
    ),
    "xDeepFM": PeerModel(
        _LARGE,
        {"kind": "xdeepfm", **_TEN, "hidden_dims": _WIDE, "cin_dims": [16, 16]},
        "xDeepFM",
        {**_L2, "dnn_hidden_units": _WIDE, "cin_hidden_units": [16, 16]},
    ),
    "AutoInt": PeerModel(
        _LARGE,
        {"kind": "autoint", **_TEN, "hidden_dims": _WIDE, "num_attention_layers": 2, "attention_dim": 32,
         "num_heads": 2},
        "AutoInt",
        {**_L2, "dnn_hidden_units": _WIDE, "attention_layers": 2, "attention_dim": 32, "num_heads": 2},
    ),
    "FinalMLP": PeerModel(
        _LARGE,
        {"kind": "finalmlp", **_TEN, "stream1": {"hidden_dims": _WIDE, "batch_norm": True, "context": ["I1", "C6"]},
         "stream2": {"hidden_dims": [1000], "batch_norm": True}, "gate_dims": [800], "num_heads": 200},
        "FinalMLP",
        {**_L2, "mlp1_hidden_units": _WIDE, "mlp1_batch_norm": True, "mlp2_hidden_units": [1000],
         "mlp2_batch_norm": True, "fs_hidden_units": [800], "fs1_context": ["I1", "C6"], "num_heads": 200},
    ),
    "DIN": PeerModel(
        [*_LARGE, _CLICKS],
        {"kind": "mlp", **_TEN, "hidden_dims": _WIDE,
         "sequence": {"kind": "target_attention", "hidden_dims": [64], "activation": "dice"}},
        "DIN",
        {**_L2, "dnn_hidden_units": _WIDE, "attention_hidden_units": [64], "din_target_field": [_LAST["name"]],
         "din_sequence_field": ["clicks"]},
    ),
}  # fmt: skip
"""Models of the published sizes on Criteo-like fields; DIN has a history of 50 beside them."""
