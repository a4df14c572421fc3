"""Models of FuxiCTR's model zoo that have an equal here, as settings of ours.

Source: `model_zoo/` of FuxiCTR 2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.notes import Settings

_ACTIVATIONS = ("relu", "gelu", "tanh")
_STRUCTURES = {
    "crossnet_only": "crossnet",
    "stacked": "stacked",
    "parallel": "parallel",
    "stacked_parallel": "parallel",
}
_LOW_RANK = {
    "low_rank": "read with use_low_rank_mixture alone, which is off",
    "num_experts": "read with use_low_rank_mixture alone, which is off",
}


def _mlp(model: Settings, embedding_dim: int) -> dict[str, Any]:
    """`DNN`: an MLP over all embeddings."""
    return {"kind": "mlp", "embedding_dim": embedding_dim, **_deep(model, "hidden_units", [64, 64, 64])}


def _dcn_v2(model: Settings, embedding_dim: int) -> dict[str, Any]:
    """`DCNv2`: cross layers, and hidden layers behind them, beside them, or both."""
    structure = model.take("model_structure", "parallel")
    if structure not in _STRUCTURES:
        raise SettingsError(f"model_structure must be one of {list(_STRUCTURES)}, but {structure!r} was given")
    if structure == "stacked_parallel":
        model.note("no equal", "model_structure", "parallel: without the hidden layers behind the cross layers")
    if model.take("use_low_rank_mixture", False):  # noqa: FBT003 - a default
        model.note("no equal", "use_low_rank_mixture", "the cross layers have full matrices")
        model.note_all("no equal", dict.fromkeys(_LOW_RANK, "it belongs to use_low_rank_mixture"))
    else:
        model.note_all("ignored by FuxiCTR", _LOW_RANK)
    values = {
        "kind": "dcn_v2",
        "embedding_dim": embedding_dim,
        "structure": _STRUCTURES[structure],
        "num_cross_layers": model.whole("num_cross_layers", 3),
    }
    if structure == "crossnet_only":
        return values
    units = "stacked_dnn_hidden_units" if structure == "stacked" else "parallel_dnn_hidden_units"
    if structure == "stacked_parallel":
        model.note_all("no equal", {"stacked_dnn_hidden_units": "hidden layers stand beside the cross layers alone"})
    return values | _deep(model, units, [], activations="dnn_activations")


def _deep(
    model: Settings, units: str, default: list[int], *, activations: str = "hidden_activations"
) -> dict[str, Any]:
    """The hidden layers, whose settings are named alike in most models of the zoo."""
    if model.take("batch_norm", False):  # noqa: FBT003 - a default
        model.note("no equal", "batch_norm", "hidden layers have no batch norm; norm: true gives them an RMSNorm")
    return {
        "hidden_dims": model.take(units, default),
        "activation": _activation(model, activations),
        "norm": False,
        "dropout": _one_for_all(model, "net_dropout", 0.0),
    }


def _activation(model: Settings, key: str) -> str:
    name = str(_one_for_all(model, key, "ReLU")).lower()
    if name not in _ACTIVATIONS:
        raise SettingsError(f"{key} must be one of {', '.join(_ACTIVATIONS)}, but {name!r} was given")
    return name


def _one_for_all(model: Settings, key: str, default: Any) -> Any:
    """A setting that FuxiCTR also reads as a list with one value per hidden layer; ours holds for all of them."""
    given = model.take(key, default)
    values = given if isinstance(given, list) else [given]
    if len(set(values)) != 1:
        raise SettingsError(f"{key} must be the same for every hidden layer, but {given!r} was given; choose one value")
    return values[0]


ZOO_MODELS: dict[str, Callable[[Settings, int], dict[str, Any]]] = {"DNN": _mlp, "DCNv2": _dcn_v2}
"""What reads the settings of each model, by its name on FuxiCTR."""
