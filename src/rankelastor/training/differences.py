"""In which settings two recipes differ, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rankelastor.recipes.recipe import Recipe

CHANGES_NOTHING = ("training.checkpoint", "training.execution.read_ahead", "training.on_nan")
"""Settings that change no result, so that a run may go on with others."""
_MOST_NAMED = 5
_LONGEST = 80
_ABSENT = object()


def differences(stored: Recipe, given: Recipe) -> dict[str, str]:
    """Compare the settings of a run with those given, apart from those that change no result.

    Returns:
        What differs, by the path of the setting.
    """
    return value_differences(stored.model_dump(mode="json"), given.model_dump(mode="json"))


def value_differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Compare settings as plain values, apart from those that change no result.

    Example:
        >>> value_differences({"training": {"seed": 1, "epochs": 3}}, {"training": {"seed": 2, "epochs": 3}})
        {'training.seed': 'training.seed was 1 there and is 2 here'}

    Returns:
        What differs, by the path of the setting.
    """
    before, now = _flat(stored), _flat(given)
    return {
        path: f"{path} was {_short(before, path)} there and is {_short(now, path)} here"
        for path in sorted(before.keys() | now.keys())
        if before.get(path, _ABSENT) != now.get(path, _ABSENT) and not path.startswith(CHANGES_NOTHING)
    }


def listed(found: Mapping[str, str]) -> str:
    """List differences, the first few of many.

    Example:
        >>> listed({"a": "a was 1 there and is 2 here", "b": "b was 3 there and is absent here"})
        'a was 1 there and is 2 here; b was 3 there and is absent here'
    """
    more = len(found) - _MOST_NAMED
    return "; ".join(list(found.values())[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _flat(values: Any, path: str = "") -> dict[str, Any]:
    """Map the path of each value that is no mapping to it."""
    if not isinstance(values, Mapping):
        return {path: values}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{path}.{key}" if path else str(key))
    return flat


def _short(values: Mapping[str, Any], path: str) -> str:
    shown = str(values[path]) if path in values else "absent"
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
