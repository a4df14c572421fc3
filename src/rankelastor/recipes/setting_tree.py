"""All settings of recipes as a tree, read from the JSON schema: names, meanings, values and defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from rankelastor.config.short_paths import SHORT_PATHS
from rankelastor.recipes.json_schema import whole_recipe_schema
from rankelastor.recipes.value_words import default_words, value_words

_REFERENCE = "#/$defs/"


@dataclass(frozen=True)
class Group:
    """Settings that are written together as one mapping.

    Attributes:
        kind: the value of ``kind`` that chooses this group among several; None if there is no choice.
        description: what the settings are for.
        settings: the settings, without ``kind``.
    """

    kind: str | None
    description: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: the last key of its path.
        path: keys from the top of the recipe, without list indices, names of tasks and kinds.
        description: what it means, in Markdown.
        values: the values that it takes, in words.
        default: its default as it stands in YAML; None if the setting is required.
        groups: nested settings: none, one group, or one for each kind.
        repeated: whether nested settings form a list or a mapping by names.
    """

    name: str
    path: str
    description: str
    values: str
    default: str | None
    groups: tuple[Group, ...] = ()
    repeated: Literal["list", "mapping"] | None = None

    @property
    def short_path(self) -> str | None:
        """Path without the group, such as ``training.patience``; None if there is none."""
        return next((short for short, full in SHORT_PATHS.items() if full == self.path), None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds among which ``kind`` chooses; empty if there is no choice."""
        return tuple(group.kind for group in self.groups if group.kind is not None)


@cache
def recipe_settings() -> Group:
    """Read the tree of all settings.

    Example:
        >>> [setting.name for setting in recipe_settings().settings]
        ['name', 'data', 'model', 'training', 'spectrum', 'version', 'extends']
    """
    return _Reader(whole_recipe_schema()).group()


def all_settings(group: Group | None = None) -> Iterator[Setting]:
    """List the settings of a group (None: of the recipe) and all settings below them.

    A path occurs once for each kind that has the setting.
    """
    for setting in (group or recipe_settings()).settings:
        yield setting
        for nested in setting.groups:
            yield from all_settings(nested)


class _Reader:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema

    def group(self) -> Group:
        return self._group(self._schema, path="")

    def _group(self, schema: Mapping[str, Any], *, path: str) -> Group:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        settings = [
            self._setting(properties[name], name, f"{path}.{name}".lstrip("."), is_required=name in required)
            for name in properties
            if not (name == "kind" and "const" in properties[name]) and f"{path}.{name}" not in SHORT_PATHS
        ]
        kind = properties.get("kind", {}).get("const")
        return Group(kind, schema.get("description", ""), tuple(settings))

    def _setting(self, schema: Mapping[str, Any], name: str, path: str, *, is_required: bool) -> Setting:
        holder, repeated = self._holder(schema)
        groups = tuple(self._group(each, path=path) for each in self._mappings(holder))
        described = schema.get("description") or (groups[0].description if len(groups) == 1 else "")
        default = None if is_required else default_words(schema.get("default"))
        if groups and schema.get("default") is not None and not any(group.kind for group in groups):
            default = ""  # that of each nested setting
        return Setting(name, path, described, value_words(schema), default, groups, repeated)

    def _holder(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], Literal["list", "mapping"] | None]:
        """Find the schema of one element if the setting is a list or a mapping by names."""
        for each in [schema, *schema.get("anyOf", ())]:
            if "items" in each:
                return each["items"], "list"
            if isinstance(each.get("additionalProperties"), Mapping):
                return each["additionalProperties"], "mapping"
        return schema, None

    def _mappings(self, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """List the schemas of nested settings that a setting, or one element of it, takes."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(_REFERENCE)
            found: Mapping[str, Any] = self._schema["$defs"][name]
            return [found]
        alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return [mapping for each in alternatives for mapping in self._mappings(each)]
