"""Translate the models of FuxiCTR's model zoo that have an equal here.

Source: `model_zoo/` of FuxiCTR 2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings

_ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "identity")
_STRUCTURES = {
    "crossnet_only": "crossnet",
    "stacked": "stacked",
    "parallel": "parallel",
    "stacked_parallel": "stacked_parallel",
}
_LOW_RANK = {
    "low_rank": "only read with use_low_rank_mixture, which is off",
    "num_experts": "only read with use_low_rank_mixture, which is off",
}


def _mlp(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Translate `DNN`, an MLP over all embeddings."""
    return {"kind": "mlp", "embedding_dim": embedding_dim, **_deep(model, "hidden_units", [64, 64, 64])}


def _dcn_v2(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Translate `DCNv2`: cross layers, and hidden layers after them, beside them, or both."""
    structure = model.take("model_structure", "parallel")
    if structure not in _STRUCTURES:
        raise SettingsError(f"model_structure must be one of {list(_STRUCTURES)}, but {structure!r} was given")
    if model.take("use_low_rank_mixture", False):  # noqa: FBT003 - a default
        rank, num_experts = model.whole("low_rank", 32), model.whole("num_experts", 4)
        cross = {"kind": "mixture", "rank": rank, "num_experts": num_experts}
    else:
        cross = {"kind": "full"}
        model.note_all("ignored by FuxiCTR", _LOW_RANK)
    values = {
        "kind": "dcn_v2",
        "embedding_dim": embedding_dim,
        "structure": _STRUCTURES[structure],
        "num_cross_layers": model.whole("num_cross_layers", 3),
        "cross": cross,
    }
    if structure == "crossnet_only":
        return values
    units = "stacked_dnn_hidden_units" if structure == "stacked" else "parallel_dnn_hidden_units"
    if structure == "stacked_parallel":
        values["stacked_hidden_dims"] = model.take("stacked_dnn_hidden_units", [])
    return values | _deep(model, units, [], activations="dnn_activations")


def _linear(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:  # noqa: ARG001 - as the others
    """Translate `LR`, a weight per value."""
    return {"kind": "logistic_regression", "embedding_dim": 1}


def _fm(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:  # noqa: ARG001 - as the others
    """Translate `FM`, which has no settings but its width."""
    return {"kind": "fm", "embedding_dim": embedding_dim}


def _deepfm(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Translate `DeepFM`, FM and an MLP."""
    return {"kind": "deepfm", "embedding_dim": embedding_dim, **_deep(model, "hidden_units", [64, 64, 64])}


def _xdeepfm(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Translate `xDeepFM`: a compressed interaction network, an MLP and a linear model."""
    deep = _deep(model, "dnn_hidden_units", [64, 64, 64], activations="dnn_activations")
    if not deep["hidden_dims"]:
        model.note("no equal", "dnn_hidden_units", "a linear map of the embeddings stands in the place of the MLP")
    cin_dims = model.take("cin_hidden_units", [16, 16, 16])
    return {"kind": "xdeepfm", "embedding_dim": embedding_dim, "cin_dims": cin_dims, **deep}


def _autoint(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Translate `AutoInt`: attention between fields, and an MLP beside it."""
    if model.take("use_wide", False):  # noqa: FBT003 - a default
        model.note("no equal", "use_wide", "no linear model stands beside attention")
    return {
        "kind": "autoint",
        "embedding_dim": embedding_dim,
        "num_attention_layers": model.whole("attention_layers", 2),
        "attention_dim": model.whole("attention_dim", 8),
        "num_heads": model.whole("num_heads", 1),
        "residual": bool(model.take("use_residual", True)),  # noqa: FBT003 - a default
        "scale": bool(model.take("use_scale", False)),  # noqa: FBT003 - a default
        "layer_norm": bool(model.take("layer_norm", False)),  # noqa: FBT003 - a default
        **_deep(model, "dnn_hidden_units", [64, 64, 64], activations="dnn_activations"),
    }


def _finalmlp(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Translate `FinalMLP`: two streams, each behind a gate of its own."""
    gated = model.take("use_fs", True)  # noqa: FBT003 - a default
    gate_dims = model.take("fs_hidden_units", [64])
    return {
        "kind": "finalmlp",
        "embedding_dim": embedding_dim,
        "stream1": _stream(model, 1, gated=gated),
        "stream2": _stream(model, 2, gated=gated),
        "gate_dims": gate_dims if gated else None,
        "num_heads": model.whole("num_heads", 1),
    }


def _stream(model: FuxiCtrSettings, number: int, *, gated: bool) -> dict[str, Any]:
    context = model.take(f"fs{number}_context", [])
    if gated and context:
        text = "the gate reads the embeddings that the streams read; in FuxiCTR these fields have others for the gate"
        model.note("differs", f"fs{number}_context", text)
    layers = _deep(
        model,
        f"mlp{number}_hidden_units",
        [64, 64, 64],
        activations=f"mlp{number}_hidden_activations",
        batch_norm=f"mlp{number}_batch_norm",
        dropout=f"mlp{number}_dropout",
    )
    return layers | {"context": context if gated else []}


def _deep(
    model: FuxiCtrSettings,
    units: str,
    default: list[int],
    *,
    activations: str = "hidden_activations",
    batch_norm: str = "batch_norm",
    dropout: str = "net_dropout",
) -> dict[str, Any]:
    """Translate the hidden layers, whose settings have the same names in most models of the zoo."""
    return {
        "hidden_dims": model.take(units, default),
        "activation": _activation(model, activations),
        "norm": False,
        "batch_norm": bool(model.take(batch_norm, False)),  # noqa: FBT003 - a default
        "dropout": _one_for_all(model, dropout, 0.0),
    }


def _activation(model: FuxiCtrSettings, key: str) -> str:
    name = str(_one_for_all(model, key, "ReLU")).lower()
    if name not in _ACTIVATIONS:
        raise SettingsError(f"{key} must be one of {', '.join(_ACTIVATIONS)}, but {name!r} was given")
    return name


def _one_for_all(model: FuxiCtrSettings, key: str, default: Any) -> Any:
    """Read a setting that FuxiCTR also accepts as a list of one value per hidden layer, which must all be equal."""
    given = model.take(key, default)
    values = given if isinstance(given, list) else [given]
    if len(set(values)) != 1:
        raise SettingsError(f"{key} must be the same for every hidden layer, but {given!r} was given; choose one value")
    return values[0]


ZOO_MODELS: dict[str, Callable[[FuxiCtrSettings, int], dict[str, Any]]] = {
    "DNN": _mlp,
    "DCNv2": _dcn_v2,
    "LR": _linear,
    "FM": _fm,
    "DeepFM": _deepfm,
    "xDeepFM": _xdeepfm,
    "AutoInt": _autoint,
    "FinalMLP": _finalmlp,
}
"""Function that translates the settings of each model, by the model's name in FuxiCTR."""

UNTRANSLATED = {"FinalNet": "finalnet", "MaskNet": "masknet", "FiBiNET": "fibinet"}
"""Models that are here, but whose settings are not translated: our kind, by the model's name in FuxiCTR."""
