"""Read and write YAML files that are not recipes: settings of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rankelastor.errors import SettingsError
from rankelastor.recipes.yaml_text import parse_yaml, read_yaml_text


def read_plain_yaml(path: str | Path) -> dict[Any, Any]:
    """Read a YAML file as plain values; anchors and merge keys (``<<``) are resolved, nothing is checked or expanded.

    Raises:
        SettingsError: the file cannot be read, is not YAML, or does not hold a mapping.
    """
    try:
        text = read_yaml_text(Path(path))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} must be a readable UTF-8 text, but {error}") from None
    values = parse_yaml(text, source=str(path), refuse_repeated_keys=False)
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings as `key: value`, but holds {type(values).__name__}")
    return values


def plain_yaml_text(values: dict[str, Any]) -> str:
    """Write plain values as YAML, keys in their order, short lists and mappings on one line.

    Example:
        >>> print(plain_yaml_text({"name": "a", "fields": [{"kind": "group", "column": "user"}]}), end="")
        name: a
        fields:
        - {kind: group, column: user}
    """
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=118)
    return text
