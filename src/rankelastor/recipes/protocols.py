"""What a protocol puts in place of settings that a recipe leaves out, as far as no data are needed for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rankelastor.recipes.choices import choose
from rankelastor.recipes.facts import TYPICAL
from rankelastor.recipes.merging import merge_settings, nested, value_at

_SECOND_VERSION = 2
TRANSFORM = "standardise"
"""The transform of numbers in a recipe of version 2 that names none."""
PUBLISHED: Mapping[str, Any] = {
    "training": {"rare_as_unseen": {"share": 0.0}, "output_bias": "zero", "calibration": {"kind": "none"}}
}
"""The published protocol replaces nothing by unseen, starts the output bias at zero, and calibrates nothing."""


def protocol_of(values: Mapping[str, Any]) -> str | None:
    """Read the protocol of a recipe's values: that of version 2 is ``auto``, and version 1 has none by itself.

    Example:
        >>> protocol_of({}), protocol_of({"version": 2}), protocol_of({"training": {"protocol": "published"}})
        (None, 'auto', 'published')
    """
    written = value_at(values, "training.protocol")
    if written is None and values.get("version") == _SECOND_VERSION:
        return "auto"
    return written if isinstance(written, str) else None


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the values of a recipe; objects of settings count as given in full."""
    return {key: _plain(value) for key, value in values.items()}


def fill(given: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """Put in place of what is left out the settings of the protocol; sizes of the model stand in until data are known.

    Args:
        given: the values of a recipe.
        protocol: ``auto`` or ``published``.
    """
    if protocol == "published":
        return merge_settings(PUBLISHED, given)
    kind = value_at(given, "model.kind")
    sizes: dict[str, Any] = {}
    for choice in choose(TYPICAL, kind) if isinstance(kind, str) else ():
        if choice.path.startswith("model."):
            sizes = merge_settings(sizes, nested(choice.path, choice.value))
    filled = merge_settings(sizes, given)
    if isinstance(fields := value_at(filled, "data.fields"), list):
        filled["data"] = {**filled["data"], "fields": [_standardised(field) for field in fields]}
    return filled


def leaves_transforms_out(given: Mapping[str, Any]) -> bool:
    """Tell whether a field of numbers says nothing about its transform.

    Example:
        >>> leaves_transforms_out({"data": {"fields": [{"kind": "numeric", "column": "price"}]}})
        True
    """
    fields = value_at(given, "data.fields")
    return isinstance(fields, list) and any(_standardised(field) != field for field in fields)


def _standardised(field: Any) -> Any:
    """Standardise a field of numbers that names no transform: as they are, numbers may be of any size."""
    if isinstance(field, Mapping) and field.get("kind") == "numeric" and "transform" not in field:
        return {**field, "transform": TRANSFORM}
    return field


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
