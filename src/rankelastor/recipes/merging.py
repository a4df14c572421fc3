"""Merge settings over others, mapping by mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_settings(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``changes`` over ``base``, mapping by mapping; a changed ``kind`` replaces its whole mapping.

    Example:
        >>> merge_settings({"seed": 1, "ffn": {"kind": "glu", "dropout": 0.1}}, {"ffn": {"dropout": 0.2}})
        {'seed': 1, 'ffn': {'kind': 'glu', 'dropout': 0.2}}
        >>> merge_settings({"ffn": {"kind": "glu", "dropout": 0.1}}, {"ffn": {"kind": "mlp"}})
        {'ffn': {'kind': 'mlp'}}
    """
    if "kind" in changes and "kind" in base and changes["kind"] != base["kind"]:
        return dict(changes)
    merged = dict(base)
    for key, value in changes.items():
        below = base.get(key)
        both_mappings = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = merge_settings(below, value) if both_mappings and below is not None else value
    return merged


def nested(path: str, value: Any) -> dict[str, Any]:
    """Make mappings that hold a value at a dotted path.

    Example:
        >>> nested("training.seed", 2)
        {'training': {'seed': 2}}
    """
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def value_at(values: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """Return the value at a dotted path; ``default`` if there is none.

    Example:
        >>> value_at({"training": {"seed": 2}}, "training.seed"), value_at({}, "training.seed")
        (2, None)
    """
    place: Any = values
    for key in path.split("."):
        if not isinstance(place, Mapping) or key not in place:
            return default
        place = place[key]
    return place
