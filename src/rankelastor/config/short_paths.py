"""Short paths of training settings, without their group, such as ``training.patience``, as in version 0.1.0."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

SHORT_PATHS: Mapping[str, str] = MappingProxyType(
    {
        "training.learning_rate": "training.optimiser.learning_rate",
        "training.embedding_l2": "training.optimiser.embedding_l2",
        "training.clip_norm": "training.optimiser.clip_norm",
        "training.monitor": "training.stopping.monitor",
        "training.min_delta": "training.stopping.min_delta",
        "training.rate_drop": "training.stopping.rate_drop",
        "training.min_learning_rate": "training.stopping.min_learning_rate",
        "training.patience": "training.stopping.patience",
        "training.precision": "training.execution.precision",
        "training.compile": "training.execution.compile",
        "training.record": "training.execution.record",
        "training.device": "training.execution.device",
        "training.threads": "training.execution.threads",
        "training.slice_examples": "training.execution.slice_examples",
        "training.embedding_updates": "training.execution.embedding_updates",
        "training.read_ahead": "training.execution.read_ahead",
    }
)
"""Maps the short path of a setting to its full path."""


def other_paths(path: str) -> tuple[str, ...]:
    """List the other paths of the setting that ``path`` names, or of the settings of the group.

    Example:
        >>> other_paths("training.patience"), other_paths("training.optimiser")[:1]
        (('training.stopping.patience',), ('training.learning_rate',))
    """
    if path in SHORT_PATHS:
        return (SHORT_PATHS[path],)
    return tuple(short for short, full in SHORT_PATHS.items() if path in (full, full.rpartition(".")[0]))


def group_settings(values: Mapping[str, Any]) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """Move settings that are written without their group into it.

    Args:
        values: training settings as written.

    Returns:
        The settings in groups, and the (group, key) of each moved setting.

    Raises:
        ValueError: a setting is given by both paths.

    Example:
        >>> group_settings({"seed": 1, "patience": 3})
        ({'seed': 1, 'stopping': {'patience': 3}}, {('stopping', 'patience')})
    """
    grouped, moved = dict(values), set()
    for short, full in SHORT_PATHS.items():
        _, group, key = full.split(".")
        members = grouped.get(group, {})
        if isinstance(members, BaseModel):
            members = members.model_dump(exclude_unset=True)
        if key not in grouped or not isinstance(members, Mapping):
            continue
        if key in members:
            raise ValueError(f"{short} and {full} are the same setting, but both were given; remove one")
        grouped[group] = {**members, key: grouped.pop(key)}
        moved.add((group, key))
    return grouped, moved


def restore_written_paths(error: ValidationError, moved: Collection[tuple[str, str]]) -> ValidationError:
    """Change the locations in an error back to the paths under which moved settings were written."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(line["type"], line["msg"], line.get("ctx")),
            loc=line["loc"][1:] if line["loc"][:2] in moved else line["loc"],
            input=line["input"],
        )
        for line in error.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(error.title, lines)
