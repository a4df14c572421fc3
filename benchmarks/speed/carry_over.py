"""Copy the baseline's weights to a ranker of ours, so that both compute the same function."""

from __future__ import annotations

from typing import Any

import torch
from benchmarks.speed.published_manner import PublishedManner

from rankelastor.interop.published import translate_state
from rankelastor.models.mixer import MixerSettings
from rankelastor.models.ranker import Ranker
from rankelastor.schema import CategoricalFeature, FeatureSchema


def published_words(model: MixerSettings, num_fields: int) -> dict[str, Any]:
    """Convert our settings to those of the published code, in the form that ``interop/published.py`` reads."""
    tokenizer, ffn = model.tokenizer, model.ffn
    gated = ffn.kind == "glu"
    return {
        "num_fields": num_fields,
        "embedding_dim": model.embedding_dim,
        "num_tokens": model.num_tokens,
        "token_dim": model.token_dim,
        "num_blocks": model.num_blocks,
        "published_mixing_type": 2 if model.mixing.kind == "split" else 999,
        "use_tokenizer": True,
        "projection": {
            "trans_type": "matrix" if tokenizer.kind == "split" else "vector",
            "hidden_units": list(getattr(tokenizer, "hidden_dims", ())),
            "activation": getattr(tokenizer, "activation", "relu"),
            "use_layer_norm": getattr(tokenizer, "norm", True),
            "dropout": getattr(tokenizer, "dropout", 0.0),
        },
        "ffn": {
            "hidden_units": list(ffn.hidden_dims),
            "use_layer_norm": ffn.norm,
            "dropout": ffn.dropout,
            "activation": "swiglu" if ffn.kind == "glu" else ffn.activation,
            **({"expansion_rate": ffn.expansion} if gated else {}),
        },
        "head": "flatten" if model.head.kind == "linear" else "mlp",
    }


@torch.no_grad()
def carry_over(baseline: PublishedManner, ours: Ranker, model: MixerSettings, schema: FeatureSchema) -> None:
    """Copy the weights of ``baseline`` to ``ours``."""
    state = {name: value.numpy() for name, value in baseline.state_dict().items() if not name.startswith("embedding.")}
    ours.network.load_state_dict(translate_state(state, published_words(model, schema.num_fields)))
    weights = dict(zip(schema.names, (layer.weight for layer in baseline.embedding.layers), strict=True))
    table, row = ours.embedding.table, 1
    for feature in schema.features:
        if isinstance(feature, CategoricalFeature):
            table[row : row + feature.num_ids - 1] = weights[feature.name][1:]
            row += feature.num_ids - 1
    for index, numeric in enumerate(schema.numeric):
        ours.embedding.numeric_vectors[index] = weights[numeric.name][:, 0]
