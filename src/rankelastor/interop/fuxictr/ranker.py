"""Translate the published RankElastor settings (the FuxiCTR model `UniMixer`) to settings of our rankers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings
from rankelastor.interop.fuxictr.zoo import UNTRANSLATED, ZOO_MODELS
from rankelastor.interop.published import MIXING_TYPES, model_settings
from rankelastor.models.rankelastor import RankElastorSettings

PUBLISHED_MODEL = "UniMixer"

_HEADS = {"mlp": "mlp", "flatten": "flatten", "noparam_mean": "mean"}
_PROJECTION = {"hidden_units": [500], "activation": "relu", "dropout": 0.1, "use_layer_norm": False}
_FFN = {"hidden_units": [64, 64, 64], "activation": "swiglu", "dropout": 0.1, "use_layer_norm": False}
_FFN_EXPANSION = 2.0
_IGNORED = {
    "net_dropout": "the model does not use it; dropout is set in proj_param and interaction_mlp_params",
    "batch_norm": "the model has no batch norm",
    "mixing_mlp_params": "none of the published mixings reads it",
    "mixing_attn_params": "none of the published mixings reads it",
}


def ranker(model: FuxiCtrSettings) -> dict[str, Any]:
    """Make ``model`` of a recipe; a model that is not translated is replaced by a small RankElastor, with a note.

    Raises:
        SettingsError: a mixing, head or tokenizer that the published code does not have, or that we do not have.
    """
    name = model.take("model")
    if name is None:
        raise SettingsError("model must name FuxiCTR's model, but the experiment's settings have none; add it")
    embedding_dim = model.whole("embedding_dim", 10)
    if name == PUBLISHED_MODEL:
        return _published(model, embedding_dim)
    if name in ZOO_MODELS:
        return ZOO_MODELS[name](model, embedding_dim)
    text = "a small RankElastor is used instead: choose num_tokens, token_dim and num_blocks yourself"
    if (kind := UNTRANSLATED.get(name)) is None:
        model.note("no equal", "model", text)
    else:
        model.note("differs", "model", f"its settings are not translated, but model.kind: {kind} exists here; {text}")
    return _stand_in(embedding_dim)


def published_settings(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    """Read the settings of the published code that ``interop.published`` takes, but for ``num_fields``.

    Raises:
        SettingsError: a mixing, head or FFN that the published code does not have.
    """
    return {
        **_rotation(model),
        "embedding_dim": embedding_dim,
        "num_tokens": model.take("Token_num", 10),
        "token_dim": model.take("Token_dim", 10),
        "num_blocks": model.take("depth", 2),
        "published_mixing_type": _mixing_type(model),
        "use_tokenizer": model.take("use_tokenizer", True),  # noqa: FBT003 - a default
        "projection": _projection(model),
        "ffn": _ffn(model),
        "head": _head(model),
    }


def _published(model: FuxiCtrSettings, embedding_dim: int) -> dict[str, Any]:
    model.note_all("ignored by FuxiCTR", _IGNORED)
    translated = model_settings(published_settings(model, embedding_dim))
    _check_split_mixing(translated)
    values = translated.model_dump(mode="json")
    kinds = {mixing.kind for mixing in translated.mixing_of_blocks}
    is_rankmixer = kinds == {"split"} and values["ffn"]["kind"] == "mlp"
    return values | {"kind": "rankmixer"} if is_rankmixer else values


def _check_split_mixing(settings: RankElastorSettings) -> None:
    """Refuse sizes with which the published model cannot be built, whatever the data are."""
    kinds = {mixing.kind for mixing in settings.mixing_of_blocks}
    if "split" in kinds and settings.token_dim % settings.num_tokens:
        raise SettingsError(
            f"Token_num must divide Token_dim with mixing_type 2, but {settings.num_tokens} and {settings.token_dim} "
            f"were given; try Token_dim {settings.num_tokens * -(-settings.token_dim // settings.num_tokens)}"
        )


def _stand_in(embedding_dim: int) -> dict[str, Any]:
    return {
        "kind": "rankelastor",
        "embedding_dim": embedding_dim,
        "num_tokens": 16,
        "token_dim": 16,
        "num_blocks": 1,
        "tokenizer": {"kind": "joint", "hidden_dims": [200], "dropout": 0.1},
        "ffn": {"kind": "glu", "hidden_dims": [16], "dropout": 0.1},
    }


def _rotation(model: FuxiCtrSettings) -> dict[str, Any]:
    if not model.take("use_opq", False):  # noqa: FBT003 - a default
        model.note_all("ignored by FuxiCTR", {"opq_momentum": "only read with use_opq, which is off"})
        return {}
    return {"use_opq": True, "opq_momentum": model.real("opq_momentum", 0.1)}


def _mixing_type(model: FuxiCtrSettings) -> int | list[int]:
    given = model.take("mixing_type")
    for kind in given if isinstance(given, list) else [given]:
        if kind not in MIXING_TYPES:
            raise SettingsError(f"mixing_type must be one of {list(MIXING_TYPES)}, but {kind!r} was given")
    return given if isinstance(given, list) else int(given)


def _projection(model: FuxiCtrSettings) -> dict[str, Any]:
    given = model.inner("proj_param")
    if not model.take("use_tokenizer", True) and given.values:  # noqa: FBT003 - a default
        model.note("ignored by FuxiCTR", "proj_param", "only read with use_tokenizer, which is off")
        return {}
    values = {key: given.take(key, default) for key, default in _PROJECTION.items()}
    values["trans_type"] = given.take("trans_type", "matrix")
    values["activation"] = _activation(given, known={"relu", "gelu", "silu", "tanh", "identity"}, otherwise="relu")
    given.note_rest("ignored by FuxiCTR", "the tokenizer does not read it")
    return values


def _ffn(model: FuxiCtrSettings) -> dict[str, Any]:
    if (kind := model.take("interaction_ffn_type", "mlp")) != "mlp":
        raise SettingsError(
            f"interaction_ffn_type must be mlp, but {kind!r} was given; the published code has no other"
        )
    given = model.inner("interaction_mlp_params")
    values = {key: given.take(key, default) for key, default in _FFN.items()}
    known = {"relu", "gelu", "tanh", "swiglu", "swiglu-mhc"}
    values["activation"] = _activation(given, default="swiglu", known=known, otherwise="gelu")
    if values["activation"] in {"swiglu", "swiglu-mhc"}:
        values["expansion_rate"] = given.take("expansion_rate", _FFN_EXPANSION)
        values["bias"] = given.take("bias", True)  # noqa: FBT003 - a default
    else:
        given.note_all("ignored by FuxiCTR", {"expansion_rate": "only read with activation swiglu"})
        if not given.take("bias", True):  # noqa: FBT003 - a default
            given.note("no equal", "bias", "all maps of an MLP have a bias")
    given.note_rest("ignored by FuxiCTR", "the FFN does not read it")
    return values


def _activation(given: FuxiCtrSettings, *, known: Collection[str], otherwise: str, default: str = "relu") -> str:
    name = str(given.take("activation", default)).lower()
    if name in known:
        return name
    given.note(
        "ignored by FuxiCTR", "activation", f"an unknown name, for which the published code silently uses {otherwise}"
    )
    return otherwise


def _head(model: FuxiCtrSettings) -> str:
    head = model.take("pred_head", "noparam_mean")
    if head not in _HEADS:
        raise SettingsError(f"pred_head must be one of {list(_HEADS)}, but {head!r} was given")
    return _HEADS[head]
