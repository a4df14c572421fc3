"""Explain one setting of recipes by its path: meaning, values, default and nested settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rankelastor.config.short_paths import SHORT_PATHS
from rankelastor.errors import SettingsError
from rankelastor.recipes.setting_tree import Group, Setting, all_settings, recipe_settings
from rankelastor.recipes.value_words import join_words
from rankelastor.suggestions import did_you_mean

_INDENT = "  "


@dataclass(frozen=True)
class _Found:
    """A setting that a path leads to, and the kinds above it that have it, such as ``model.ffn`` of ``glu``."""

    setting: Setting
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def of_kind(self, group: Group) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the kinds above the settings of one group of this setting."""
        return self.kinds if group.kind is None else (*self.kinds, (self.setting.path, (group.kind,)))


def explain_setting(path: str, *, width: int = 100) -> str:
    """Explain the setting at a path: what it means, which values it takes, its default, its nested settings.

    Args:
        path: ``training.patience``, with or without the group; a list takes an index, a kind, or neither
            (``data.fields.0.column``, ``data.fields.numeric.transform``, ``data.fields.transform``); a choice takes a
            kind (``model.ffn.glu``) or a setting of any of its kinds (``model.ffn.expansion``).
        width: number of characters per line.

    Example:
        >>> print(explain_setting("training.patience"))
        training.stopping.patience, or in short training.patience
          Number of successive evaluations without improvement after which the run ends.
          values:  whole number from 1
          default: 2

    Raises:
        SettingsError: no setting has this path; the message suggests those that are near.
    """
    full = SHORT_PATHS.get(path, path)
    found = _merge(_find(tuple(full.split("."))))
    if not found:
        raise SettingsError(f"unknown setting {path}; {_suggest(path)}")
    return "\n\n".join("\n".join(_explain(each, width=width)) for each in found)


def _find(keys: tuple[str, ...]) -> list[_Found]:
    """Follow a path from the top; several kinds may have a setting of its name."""
    reached = [_Found(setting) for setting in recipe_settings().settings if setting.name == keys[0]]
    for key in keys[1:]:
        reached = [found for each in reached for found in _step(each, key)]
    return reached


def _step(found: _Found, key: str) -> Iterator[_Found]:
    setting = found.setting
    if key in setting.kinds:
        yield replace(found, setting=replace(setting, groups=tuple(g for g in setting.groups if g.kind == key)))
        return
    nested = [(group, each) for group in setting.groups for each in group.settings if each.name == key]
    for group, each in nested:
        yield _Found(each, found.of_kind(group))
    if not nested and (setting.repeated == "mapping" or (setting.repeated == "list" and key.isdecimal())):
        yield replace(found, setting=replace(setting, repeated=None))  # an element; the next key is one of its own
    elif key == "kind" and setting.kinds:
        yield found


def _merge(found: list[_Found]) -> list[_Found]:
    """Merge equal settings of several kinds into one."""
    merged: dict[Setting, _Found] = {}
    for each in found:
        before = merged.get(each.setting)
        merged[each.setting] = each if before is None else _Found(each.setting, _join_kinds(before.kinds, each.kinds))
    return list(merged.values())


def _join_kinds(
    first: tuple[tuple[str, tuple[str, ...]], ...], second: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    joined = dict(first)
    for path, kinds in second:
        joined[path] = tuple(dict.fromkeys([*joined.get(path, ()), *kinds]))
    return tuple(joined.items())


def _explain(found: _Found, *, width: int) -> Iterator[str]:
    setting = found.setting
    yield f"{setting.path}, or in short {setting.short_path}" if setting.short_path else setting.path
    if found.kinds:
        conditions = [f"{path}.kind is {join_words(list(kinds))}" for path, kinds in found.kinds]
        yield from _wrap(f"if {' and '.join(conditions)}", width)
    yield from _wrap(_plain(setting.description), width)
    if setting.values != "settings":
        yield from _wrap(f"values:  {_plain(setting.values)}", width, hanging=9)
    if setting.default != "":
        default = "none, it is required" if setting.default is None else setting.default
        yield from _wrap(f"default: {default}", width, hanging=9)
    for group in setting.groups:
        if group.kind is not None:
            yield from ("", *_wrap(f"kind: {group.kind}", width), *_wrap(_plain(group.description), width, level=2))
        names = max((len(each.name) for each in group.settings), default=0)
        level = 1 if group.kind is None else 2
        for each in group.settings:
            said = f"{each.name:{names}}  {_plain(each.description)}{_default_in_brackets(each)}"
            yield from _wrap(said, width, level=level, hanging=names + 2)


def _default_in_brackets(setting: Setting) -> str:
    if setting.default is None:
        return " (required)"
    return f" (default: {setting.default})" if setting.default else ""


def _wrap(text: str, width: int, *, level: int = 1, hanging: int = 0) -> list[str]:
    indent = _INDENT * level
    return textwrap.wrap(
        text,
        width=width,
        initial_indent=indent,
        subsequent_indent=indent + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def _suggest(path: str) -> str:
    """Suggest settings whose path is near, or whose last key is the one given."""
    same_name = list(dict.fromkeys(each.short_path or each.path for each in all_settings() if each.name == path))
    if same_name:
        return f"did you mean {join_words(same_name)}?"
    begin = f"settings begin with {join_words([each.name for each in recipe_settings().settings])}"
    return did_you_mean(path, _known_paths()) or begin


def _known_paths() -> Iterator[str]:
    """List the paths of all settings: in full, in short, and by kind."""
    for setting in all_settings():
        yield from (path for path in (setting.path, setting.short_path) if path)
        for group in setting.groups:
            if group.kind is not None:
                yield f"{setting.path}.{group.kind}"
                yield from (f"{setting.path}.{group.kind}.{nested.name}" for nested in group.settings)
