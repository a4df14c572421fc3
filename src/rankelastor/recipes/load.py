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
from rankelastor.errors import SettingsError
from rankelastor.places import in_full, refuse_address
from rankelastor.recipes.beside import warn_of_files_beside
from rankelastor.recipes.merging import merge_settings
from rankelastor.recipes.recipe import Recipe
from rankelastor.suggestions import what_lies_near

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}")


def load_recipe(recipe: str | Path | Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe from YAML, or take it as plain values.

    ``extends: other.yaml`` names a base file, relative to this one, whose keys this file overrides. ``${NAME}`` and
    ``${NAME:-default}`` in a text are replaced by an environment variable. Both hold for values, too; their ``extends``
    is relative to the current folder.

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
        overrides[dotted.strip()] = _parse_yaml(text, source=f"the value of {dotted}")
    return overrides


def dump_yaml(settings: Settings) -> str:
    """Write settings as YAML text with every default; ``load_recipe`` reads it back."""
    text: str = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return text


def _read_with_bases(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in seen:
        raise SettingsError(f"{path}: extends must not lead back to the file itself, but does; remove it")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        refuse_address(path, what="a recipe", error=SettingsError)
        place = Path(in_full(path))
        raise SettingsError(
            f"a recipe must be a YAML file, but {place} does not exist; {what_lies_near(place)}"
        ) from None
    except IsADirectoryError:
        raise SettingsError(f"a recipe must be a YAML file, but {path} is a folder") from None
    except (UnicodeDecodeError, PermissionError) as error:
        raise SettingsError(f"a recipe must be a readable UTF-8 text, but {path} is not: {error}") from None
    values = _parse_yaml(text, source=str(path))
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings as `key: value`, but holds {type(values).__name__}")
    return _merge_bases(values, folder=path.parent, source=str(path), seen=(*seen, path.resolve()))


def _merge_bases(values: dict[str, Any], *, folder: Path, source: str, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Merge values over the recipe that they extend, if they do; its path is relative to ``folder``."""
    base = values.pop("extends", None)
    if base is None:
        return values
    if not isinstance(base, str):
        raise SettingsError(f"{source}: extends must name one file, but {base!r} was given")
    inherited = _read_with_bases(folder / base, seen)
    for written in [*SHORT_PATHS, *SHORT_PATHS.values()]:
        if _has(values, written):
            _remove_other_paths(inherited, written)
    return merge_settings(inherited, values)


def _parse_yaml(text: str, *, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that also rejects duplicate keys
    except yaml.YAMLError as error:
        raise SettingsError(f"{source} must be YAML, but {error}") from None


class _Loader(yaml.SafeLoader):
    """A safe loader that rejects duplicate keys and reads 1e-3 as a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _has(values: Mapping[str, Any], dotted: str) -> bool:
    place: Any = values
    for key in dotted.split("."):
        if not isinstance(place, Mapping) or key not in place:
            return False
        place = place[key]
    return True


def _remove_other_paths(values: dict[str, Any], dotted: str) -> None:
    """Remove the setting from ``values`` under its other paths, since the path given now replaces them."""
    for other in other_paths(dotted):
        if _has(values, other):
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
        place = place.setdefault(key, {}) if isinstance(place, dict) else _item(place, key, dotted)
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
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match, path), value)
    return value


def _variable(match: re.Match[str], path: tuple[str, ...]) -> str:
    value = os.environ.get(match["name"]) or match["default"]
    if value is None:
        raise SettingsError(
            f"{'.'.join(path)}: the environment variable {match['name']} must be set, but it is not; "
            f"try export {match['name']}=..., or write ${{{match['name']}:-a default}}"
        )
    return value
