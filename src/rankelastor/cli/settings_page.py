"""The page of all settings, docs/settings.md, written from the tree of settings."""

from __future__ import annotations

from collections.abc import Iterator

from rankelastor.recipes.setting_tree import Group, Setting, recipe_settings
from rankelastor.recipes.value_words import join_words

COMMAND = "rankelastor schema --markdown docs/settings.md"

_BEGIN = f"""\
# Settings

<!-- Written by `{COMMAND}`: change the descriptions in the code, not this page. -->

A recipe is a YAML file of the settings on this page; `--set PATH=VALUE` changes one of them for one call, as in
`--set training.patience=3`. `rankelastor schema --explain PATH` explains one in the terminal, and
`rankelastor schema recipe.schema.json` writes a JSON schema with which an editor explains them while you type.

A setting without a default is required. Where settings come in several kinds, `kind` chooses one:
`model: {{kind: mlp, hidden_dims: [64]}}`. `null` is written as such in YAML.
"""


def settings_page() -> str:
    """Write the page of all settings in Markdown.

    Example:
        >>> settings_page().splitlines()[0]
        '# Settings'
    """
    root = recipe_settings()
    lines = [_BEGIN, *_table(root.settings)]
    for setting in root.settings:
        if setting.groups:
            lines += _sections(setting, seen=set())
    return "\n".join(lines) + "\n"


def _sections(setting: Setting, *, seen: set[Setting]) -> Iterator[str]:
    """Write the section of a setting with nested settings, then those of the nested ones."""
    if setting in seen:
        return
    seen.add(setting)
    yield from (f"\n{'#' * min(4, 2 + setting.path.count('.'))} `{setting.path}`\n", _about(setting))
    for group in setting.groups:
        if group.kind is not None:
            yield f"\n**`kind: {group.kind}`**: {group.description}"
        if group.settings:
            yield ""
            yield from _table(group.settings)
    yield from _note_short_paths(setting)
    for nested in _nested(setting.groups):
        yield from _sections(nested, seen=seen)


def _about(setting: Setting) -> str:
    """Describe a setting with nested settings: by their own description if there is one group of them."""
    descriptions = [group.description for group in setting.groups if group.kind is None]
    return next((text for text in descriptions if text), setting.description)


def _nested(groups: tuple[Group, ...]) -> list[Setting]:
    """List the settings that have nested settings themselves; one that several kinds share comes once."""
    found: dict[tuple[str, tuple[Group, ...]], Setting] = {}
    for group in groups:
        for setting in group.settings:
            if setting.groups:
                found.setdefault((setting.path, setting.groups), setting)
    return list(found.values())


def _table(settings: tuple[Setting, ...]) -> Iterator[str]:
    yield "| setting | values | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for setting in settings:
        meaning = setting.description
        if setting.groups:
            meaning += f" See [`{setting.path}`](#{_anchor(setting.path)})."
        default = "required" if setting.default is None else f"`{setting.default}`" if setting.default else ""
        cells = [f"`{setting.name}`", setting.values, default, meaning]
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _note_short_paths(setting: Setting) -> Iterator[str]:
    short = [each.short_path for group in setting.groups for each in group.settings if each.short_path]
    if short:
        paths = join_words([f"`{path}`" for path in short]).replace(" or ", " and ")
        yield f"\nThese may also be written without the group: {paths}."


def _anchor(path: str) -> str:
    """Form the anchor of a heading as GitHub does: without dots and other marks."""
    return "".join(letter for letter in path.lower() if letter.isalnum() or letter in "_-")
