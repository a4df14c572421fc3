"""Which runs belong together as seeds of one model: by their recipes, by their names, or by patterns of names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from typing import Any

from rankelastor.errors import RunError
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.ensemble_folder import is_ensemble
from rankelastor.runs.run_folder import RunFolder

OF_NO_MATTER = ("name", "training.seed", "training.execution", "training.calibration", "training.baseline", "spectrum")
"""Settings in which the runs of a group may differ: none of them but the seed changes what a model learns."""
_NUMBER_AT_THE_END = re.compile(r"[-_.]?(seed)?[-_.=]?\d+$")
_SEPARATORS = "-_.= "


@dataclass(frozen=True)
class RunGroup:
    """Runs that are seeds of one model, or a single run; ``differences`` are other settings in which they differ."""

    name: str
    folders: tuple[Path, ...]
    differences: tuple[str, ...] = ()


def group_runs(folders: Sequence[str | Path], *, by: Sequence[str] = ("recipe",)) -> list[RunGroup]:
    """Sort runs into groups, in the order of their first runs.

    Args:
        folders: the run folders.
        by: ``("recipe",)`` groups runs whose recipes are equal but for the seed, the name, how the training is executed
            and the samples of the spectrum; ``("name",)`` those whose folders' names are equal but for a number at the
            end; anything else is patterns of names, such as ``("a-*", "b-*")``.

    Raises:
        RunError: a folder is no run or is an ensemble, or runs of a group have the same seed.
    """
    paths = [Path(folder) for folder in folders]
    for path in paths:
        if is_ensemble(path):
            raise RunError(
                f"runs of a group must be single runs, but {path} is an ensemble, whose members are a group already; "
                "leave grouping out"
            )
    recipes = {path: RunFolder.open(path).recipe() for path in paths}
    members: dict[str, list[Path]] = {}
    for path in paths:
        members.setdefault(_key(path, recipes[path], by), []).append(path)
    groups = [_group(key, found, [recipes[path] for path in found], by) for key, found in members.items()]
    return _with_distinct_names(groups)


def name_without_number(name: str) -> str:
    """Remove a number or seed at the end of a run's name.

    Example:
        >>> [name_without_number(name) for name in ("a-1", "mixer_seed12", "b.seed=3", "plain", "7")]
        ['a', 'mixer', 'b', 'plain', '7']
    """
    return _NUMBER_AT_THE_END.sub("", name) or name


def list_differences(recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """List the paths of the settings that matter and are not the same in all recipes."""
    flat = [_flatten(recipe.model_dump(mode="json")) for recipe in recipes]
    paths = dict.fromkeys(path for values in flat for path in values)
    return tuple(
        path
        for path in paths
        if not _is_of_no_matter(path) and any(values.get(path) != flat[0].get(path) for values in flat)
    )


def _key(path: Path, recipe: Recipe, by: Sequence[str]) -> str:
    name = path.resolve().name
    if tuple(by) == ("recipe",):
        values = _flatten(recipe.model_dump(mode="json"))
        return repr(sorted((place, value) for place, value in values.items() if not _is_of_no_matter(place)))
    if tuple(by) == ("name",):
        return name_without_number(name)
    matching = next((pattern for pattern in by if fnmatchcase(name, pattern)), None)
    return f"pattern {matching}" if matching else f"run {path.resolve()}"


def _group(key: str, folders: Sequence[Path], recipes: Sequence[Recipe], by: Sequence[str]) -> RunGroup:
    _check_seeds(folders, [recipe.training.seed for recipe in recipes])
    names = [path.resolve().name for path in folders]
    if len(names) == 1:
        return RunGroup(names[0], tuple(folders))
    if key.startswith("pattern ") and tuple(by) not in {("recipe",), ("name",)}:
        name = key.removeprefix("pattern ").strip("*" + _SEPARATORS)
    else:
        name = _common_name(names)
    return RunGroup(name or recipes[0].model.kind, tuple(folders), list_differences(recipes))


def _common_name(names: Sequence[str]) -> str:
    """Find what names have in common: the name without its number, else their beginning.

    Example:
        >>> _common_name(["a-1", "a-2"]), _common_name(["wide-one", "wide-two"]), _common_name(["one", "two"])
        ('a', 'wide', '')
    """
    without = {name_without_number(name) for name in names}
    return without.pop() if len(without) == 1 else _common_beginning(names).rstrip(_SEPARATORS)


def _common_beginning(names: Sequence[str]) -> str:
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in same)


def _check_seeds(folders: Sequence[Path], seeds: Sequence[int]) -> None:
    for index, seed in enumerate(seeds):
        first = seeds.index(seed)
        if first != index:
            raise RunError(
                f"runs of a group must have different seeds, but {folders[first]} and {folders[index]} both have seed "
                f"{seed}; give one of them, or group them by name or by a pattern"
            )


def _with_distinct_names(groups: Sequence[RunGroup]) -> list[RunGroup]:
    """Number groups of the same name: their recipes differ."""
    names = [group.name for group in groups]
    return [
        RunGroup(f"{name} ({names[:place].count(name) + 1})", group.folders, group.differences)
        if names.count(name) > 1
        else group
        for place, (name, group) in enumerate(zip(names, groups, strict=True))
    ]


def _is_of_no_matter(path: str) -> bool:
    return any(path == setting or path.startswith(f"{setting}.") for setting in OF_NO_MATTER)


def _flatten(values: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """List all settings by their dotted paths, with their values as text."""
    found: dict[str, str] = {}
    for key, value in values.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping):
            found |= _flatten(value, f"{path}.")
        else:
            found[path] = repr(value)
    return found
