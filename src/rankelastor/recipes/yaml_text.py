"""Parse YAML from anyone: plain values or one clear error, in time and memory that grow with the text alone."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from rankelastor.errors import SettingsError, shorten

MOST_BYTES = 16 << 20
MOST_NODES = 200_000
"""Nodes of a document, those that aliases repeat included."""
_LONGEST_REASON = 300


def read_yaml_text(path: Path) -> str:
    """Read a file of at most 16 MiB as UTF-8 text.

    Raises:
        SettingsError: it is longer, or no UTF-8.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SettingsError(f"{path} must have at most {MOST_BYTES >> 20} MiB, but has more; is it a YAML file?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} must be a readable UTF-8 text, but is not: {error}") from None


def parse_yaml(text: str, *, source: str, refuse_repeated_keys: bool = True) -> Any:
    """Parse YAML as plain values; tags that name code are refused.

    Args:
        text: the YAML text.
        source: its name in messages.
        refuse_repeated_keys: refuse a key that a mapping holds twice; otherwise the last one counts.

    Example:
        >>> parse_yaml("rate: 1e-3", source="a.yaml")
        {'rate': 0.001}
        >>> parse_yaml("seed: 2024-13-01", source="a.yaml")
        Traceback (most recent call last):
        rankelastor.errors.SettingsError: a.yaml must be YAML, but month must be in 1..12

    Raises:
        SettingsError: the text is not YAML, its nesting is too deep, or its aliases repeat too much.
    """
    loader = _StrictLoader if refuse_repeated_keys else _Loader
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - both are SafeLoaders
    except RecursionError:
        raise SettingsError(f"{source} must be YAML, but it is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - PyYAML raises almost anything for a value that a tag does not allow
        reason = str(error) or type(error).__name__
        reason = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} …"
        raise SettingsError(f"{source} must be YAML, but {reason}") from None


class _Loader(yaml.SafeLoader):
    """A safe loader that reads 1e-3 as a number, and counts what aliases repeat before it makes values of it."""

    def get_single_data(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        _count_nodes(node, {}, set())
        return self.construct_document(node)


class _StrictLoader(_Loader):
    """A loader that rejects repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[Hashable] = set()
        for key in (self.construct_object(key, deep=True) for key, _ in node.value):
            if isinstance(key, Hashable) and key in seen:
                problem = f"the key {shorten(key)} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            if isinstance(key, Hashable):
                seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _count_nodes(node: yaml.Node, counted: dict[int, int], inside: set[int]) -> int:
    """Count a node and all below it, as often as aliases repeat them."""
    if id(node) in counted:
        return counted[id(node)]
    if id(node) in inside:
        raise yaml.YAMLError(f"an alias stands inside of what it names{node.start_mark}")
    inside.add(id(node))
    total = 1
    if isinstance(node, yaml.MappingNode):
        total += sum(_count_nodes(part, counted, inside) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_count_nodes(part, counted, inside) for part in node.value)
    if total > MOST_NODES:
        raise yaml.YAMLError(f"it must hold at most {MOST_NODES:,} values, but aliases and values make more of it")
    inside.discard(id(node))
    counted[id(node)] = total
    return total
