"""Read recipes: YAML with ``extends``, environment variables and overrides, validated in full."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rankelastor.config.base import Settings
from rankelastor.config.explain import explain_validation_error
from rankelastor.config.short_paths import SHORT_PATHS, other_paths
from rankelastor.errors import SettingsError, shorten
from rankelastor.places import in_full, refuse_address
from rankelastor.recipes.beside import warn_of_files_beside
from rankelastor.recipes.merging import merge_settings, value_at
from rankelastor.recipes.recipe import Recipe
from rankelastor.recipes.yaml_text import parse_yaml, read_yaml_text
from rankelastor.suggestions import what_lies_near

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}")
_SECRET = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|PRIVATE|AUTH|(^|_)(API|ACCESS)?KEY(S?$|_)", re.IGNORECASE)

_NOTHING = object()
"""Stands for a setting that is not written, since null is a value."""


def load_recipe(recipe: str | Path | Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe from YAML, or take it as plain values.

    ``extends: other.yaml`` names a base file, relative to this one, whose keys this file overrides. ``${NAME}`` and
    ``${NAME:-default}`` in a path (``data.prepared``, ``data.files``, files of vectors) are replaced by an environment
    variable. Both hold for values, too; their ``extends`` is relative to the current folder.

    Args:
        recipe: the YAML file, or the settings as they stand in YAML: ``{"name": "mine", "data": {...}, ...}``.
        overrides: dotted paths of settings and their new values, ``{"training.seed": 2}``.

    Example:
        >>> load_recipe({"name": "tiny", "data": {}, "model": {"kind": "mlp", "hidden_dims": [8]}})
        Traceback (most recent call last):
        rankelastor.errors.SettingsError: recipe: 3 settings must be corrected
          data.prepared is missing, but required; add it
          data.files is missing, but required; add it
          data.fields is missing, but required; add it

    Raises:
        SettingsError: the file is missing or is not YAML, a key is unknown, or a value is not allowed.
    """
    if isinstance(recipe, Mapping):
        source, values = "recipe", _merge_bases(copy.deepcopy(dict(recipe)), folder=Path(), source="recipe", seen=())
    else:
        source, values = str(recipe), _read_with_bases(Path(recipe), seen=())
    for dotted, value in (overrides or {}).items():
        _assign(values, dotted, value)
    loaded = recipe_from_values(values, source=source)
    if not isinstance(recipe, Mapping):
        warn_of_files_beside(loaded.data.files, Path(recipe))
    return loaded


def recipe_from_values(values: Mapping[str, Any], *, source: str = "settings") -> Recipe:
    """Validate plain values, as read from YAML, as a recipe; messages name ``source``."""
    expanded = _expand_variables(values, path=())
    try:
        return Recipe.model_validate(expanded)
    except ValidationError as error:
        raise SettingsError(explain_validation_error(error, Recipe, source=source)) from None


def with_overrides(recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    """Copy a recipe with changed settings, and validate it in full.

    Example:
        >>> from rankelastor.recipes.load import with_overrides
        >>> # with_overrides(recipe, {"training.seed": 2, "model.ffn.dropout": 0.1})
    """
    values = recipe.given
    for dotted, value in overrides.items():
        _assign(values, dotted, value)
    return recipe_from_values(values)


def parse_overrides(assignments: Iterable[str]) -> dict[str, Any]:
    """Parse ``a.b=value`` texts; values are read as YAML.

    Example:
        >>> parse_overrides(["training.seed=2", "model.ffn.hidden_dims=[64, 64]"])
        {'training.seed': 2, 'model.ffn.hidden_dims': [64, 64]}
    """
    overrides = {}
    for assignment in assignments:
        dotted, equals, text = assignment.partition("=")
        if not equals or not dotted:
            raise SettingsError(f"a change must read PATH=VALUE, but {assignment!r} was given; try training.seed=2")
        overrides[dotted.strip()] = parse_yaml(text, source=f"the value of {dotted}")
    return overrides


def dump_yaml(settings: Settings) -> str:
    """Write settings as YAML text with every default; ``load_recipe`` reads it back."""
    text: str = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return text


def _read_with_bases(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if _absolute(path) in seen:
        raise SettingsError(f"{path}: extends must not lead back to the file itself, but does; remove it")
    try:
        text = read_yaml_text(path)
    except FileNotFoundError:
        refuse_address(path, what="a recipe", error=SettingsError)
        place = Path(in_full(path))
        raise SettingsError(
            f"a recipe must be a YAML file, but {place} does not exist; {what_lies_near(place)}"
        ) from None
    except IsADirectoryError:
        raise SettingsError(f"a recipe must be a YAML file, but {path} is a folder") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise SettingsError(f"a recipe must be a readable UTF-8 text, but {path} is not: {error}") from None
    values = parse_yaml(text, source=str(path))
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings as `key: value`, but holds {type(values).__name__}")
    return _merge_bases(values, folder=path.parent, source=str(path), seen=(*seen, _absolute(path)))


def _merge_bases(values: dict[str, Any], *, folder: Path, source: str, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Merge values over the recipe that they extend, if they do; its path is relative to ``folder``."""
    base = values.pop("extends", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise SettingsError(f"{source}: extends must name one file, but {base!r} was given")
    inherited = _read_with_bases(folder / base, seen)
    for written in [*SHORT_PATHS, *SHORT_PATHS.values()]:
        if value_at(values, written, _NOTHING) is not _NOTHING:
            _remove_other_paths(inherited, written)
    return merge_settings(inherited, values)


def _absolute(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError) as error:  # too long, a null character, or links in a circle
        raise SettingsError(
            f"a recipe must be a readable UTF-8 text, but {shorten(str(path))} is not: {error}"
        ) from None


def _remove_other_paths(values: dict[str, Any], dotted: str) -> None:
    """Remove the setting from ``values`` under its other paths, since the path given now replaces them."""
    for other in other_paths(dotted):
        if value_at(values, other, _NOTHING) is not _NOTHING:
            *parents, last = other.split(".")
            place = values
            for key in parents:
                place = place[key]
            del place[last]


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    _remove_other_paths(values, dotted)
    *parents, last = dotted.split(".")
    place: Any = values
    for depth, key in enumerate(parents):
        if isinstance(place, dict) and place.get(key) is None:
            place[key] = {}  # also where null leaves a group of settings out
        place = place[key] if isinstance(place, dict) else _item(place, key, dotted)
        if not isinstance(place, dict | list):
            raise SettingsError(
                f"{dotted} must be the path of a setting, but {'.'.join(parents[: depth + 1])} is {place!r}"
            )
    if isinstance(place, list):
        _item(place, last, dotted)
        place[int(last)] = value
    else:
        place[last] = value


def _item(items: list[Any], key: str, dotted: str) -> Any:
    if not key.isdecimal() or int(key) >= len(items):
        raise SettingsError(
            f"{dotted}: {key!r} must be an index below {len(items)}, since the list holds {len(items)} elements"
        )
    return items[int(key)]


def _expand_variables(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {key: _expand_variables(item, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_expand_variables(item, (*path, str(index))) for index, item in enumerate(value)]
    if isinstance(value, str) and (found := _VARIABLE.search(value)):
        _require_path(path, found[0])
        return _VARIABLE.sub(lambda match: _variable(match, path), value)
    return value


def _require_path(path: tuple[str, ...], variable: str) -> None:
    """Raise unless a setting is a path: what an environment holds must not reach files that are published."""
    is_path = path == ("data", "prepared") or path[:2] == ("data", "files") or "pretrained" in path
    if not is_path:
        raise SettingsError(
            f"{'.'.join(path)}: environment variables can stand in paths alone (data.prepared, data.files, files of "
            f"vectors), but {shorten(variable)} was given; try its value in place of the variable"
        )


def _variable(match: re.Match[str], path: tuple[str, ...]) -> str:
    if _SECRET.search(match["name"]):
        raise SettingsError(
            f"{'.'.join(path)}: an environment variable in a path is written to config.yaml, but {match['name']} may "
            "hold a secret; try a variable with another name"
        )
    value = os.environ.get(match["name"]) or match["default"]
    if value is None:
        raise SettingsError(
            f"{'.'.join(path)}: the environment variable {match['name']} must be set, but it is not; "
            f"try export {match['name']}=..., or write ${{{match['name']}:-a default}}"
        )
    return value
