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


def _deep(
    model: FuxiCtrSettings, units: str, default: list[int], *, activations: str = "hidden_activations"
) -> dict[str, Any]:
    """Translate the hidden layers, whose settings have the same names in most models of the zoo."""
    return {
        "hidden_dims": model.take(units, default),
        "activation": _activation(model, activations),
        "norm": False,
        "batch_norm": bool(model.take("batch_norm", False)),  # noqa: FBT003 - a default
        "dropout": _one_for_all(model, "net_dropout", 0.0),
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


ZOO_MODELS: dict[str, Callable[[FuxiCtrSettings, int], dict[str, Any]]] = {"DNN": _mlp, "DCNv2": _dcn_v2}
"""Function that translates the settings of each model, by the model's name in FuxiCTR."""
