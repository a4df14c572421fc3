"""Read what FuxiCTR writes about fitted features: ``feature_map.json`` and ``feature_vocab.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankelastor.errors import SettingsError

_MAP, _VOCABULARIES = "feature_map.json", "feature_vocab.json"
_PADDING, _UNKNOWN = "__PAD__", "__OOV__"


@dataclass(frozen=True)
class FittedFeature:
    """A feature as FuxiCTR has fitted it.

    Attributes:
        name: its name.
        kind: ``numeric``, ``categorical`` or ``sequence``.
        indices: index of each value, without padding (0) and without the one for unknown values; empty for a number.
        unknown: index of values that are not known; 0 for a number.
        shares: name of the feature whose embedding it uses, or None.
    """

    name: str
    kind: str
    indices: Mapping[str, int]
    unknown: int
    shares: str | None


def read_fitted_features(folder: Path) -> tuple[FittedFeature, ...]:
    """Read the features of a data set in the order in which the model embeds them; meta columns are left out.

    Args:
        folder: the folder of both files, which is ``data_root/dataset_id`` where FuxiCTR wrote them.

    Raises:
        SettingsError: a file is missing or has another layout, or a feature has pretrained vectors or an encoder.
    """
    listed, vocabularies = _read(folder / _MAP), _read(folder / _VOCABULARIES)
    try:
        specs = {name: spec for entry in listed["features"] for name, spec in entry.items()}
        return tuple(
            _feature(name, spec, vocabularies.get(name, {}), folder / _VOCABULARIES)
            for name, spec in specs.items()
            if spec["type"] != "meta"
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{folder / _MAP} must list features as FuxiCTR 2 writes them, but does not: {error!r} is missing or wrong"
        ) from None


def has_fitted_features(folder: Path) -> bool:
    """Tell whether a folder holds both files."""
    return (folder / _MAP).is_file() and (folder / _VOCABULARIES).is_file()


def _feature(name: str, spec: Mapping[str, Any], vocabulary: Mapping[str, int], source: Path) -> FittedFeature:
    kind = spec["type"]
    if kind not in {"numeric", "categorical", "sequence"}:
        raise SettingsError(f"{name} must be numeric, categorical or sequence, but its type is {kind!r}")
    if "pretrained_emb" in spec or "category_processor" in spec:
        fault = "pretrained vectors" if "pretrained_emb" in spec else f"category_processor {spec['category_processor']}"
        raise SettingsError(f"{name} must have rows of its own, but has {fault}, which has no equal in an import")
    if kind == "numeric":
        return FittedFeature(name, kind, {}, 0, None)
    if _UNKNOWN not in vocabulary:
        raise SettingsError(f"{source} must hold the values of {name} with {_UNKNOWN}, but does not")
    indices = {value: index for value, index in vocabulary.items() if value not in {_PADDING, _UNKNOWN}}
    return FittedFeature(name, kind, indices, vocabulary[_UNKNOWN], spec.get("share_embedding"))


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"the features must be in {path}, but there is no such file; copy it from FuxiCTR's data_root"
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} must hold JSON, but cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold a JSON mapping, but holds {type(values).__name__}")
    return values
