"""The grid of a study: every run with its recipe, in the order in which they are run."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rankelastor.config.explain import explain_validation_error
from rankelastor.data.fingerprint import relevant_settings
from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.data.planted.write import planted_data
from rankelastor.errors import SettingsError
from rankelastor.recipes.load import load_recipe, recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe
from rankelastor.studies.plan.axes import LOG, changes_at, check_axes
from rankelastor.studies.plan.settings import RECIPE_AXIS, Changes, StudySettings
from rankelastor.studies.plan.study_file import Study

Point = Mapping[str, str]
"""The value of each axis, the recipe first."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")
_DATA = "data."


@dataclass(frozen=True)
class PlannedRun:
    """One run of a grid.

    Attributes:
        point: the value of each axis.
        seed: seed of the training.
        changes: what axes change of the base recipe and of the log, by path.
        recipe: the recipe with everything but what is chosen for its data.
        log: the planted log that it is trained on, or None.
        log_folder: the folder of that log.
    """

    point: Point
    seed: int
    changes: Changes
    recipe: Recipe
    log: PlantedSettings | None = None
    log_folder: Path | None = None

    @property
    def key(self) -> str:
        """Its name in the study, such as ``rankmixer/order=2/seed=1``."""
        return f"{key_of(self.point)}/seed={self.seed}"

    @property
    def folder_name(self) -> str:
        """Name of its run folder: its key as a name that file systems take, made distinct where that is not the key."""
        name = _UNSAFE.sub("_", self.key.replace("/", "-"))
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:8]
        return f"{name[:100]}-{digest}"


@dataclass(frozen=True)
class Plan:
    """The runs of a study, and what is asked of all of them.

    Attributes:
        study: the study.
        runs: the runs, seed by seed, so that a study that is stopped early has the whole grid with fewer seeds.
        bases: the base recipes by name, with what `changes` sets.
        identity: what the study is known by, see ``StudyFolder``.
    """

    study: Study
    runs: tuple[PlannedRun, ...]
    bases: Mapping[str, Recipe]
    identity: Mapping[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the runs."""
        return tuple(run.key for run in self.runs)


def key_of(point: Point) -> str:
    """Name a point.

    Example:
        >>> key_of({"recipe": "rankmixer", "order": "2"})
        'rankmixer/order=2'
    """
    return "/".join([point[RECIPE_AXIS], *(f"{axis}={label}" for axis, label in point.items() if axis != RECIPE_AXIS)])


def plan_study(study: Study, folder: Path, *, tuned: Mapping[str, Changes] | None = None) -> Plan:
    """Make the grid of a study, and check that every point is a recipe.

    Args:
        study: the study.
        folder: the folder of the study, in which logs are written and data are prepared.
        tuned: for each recipe the changes that a tuning found, which axes override.

    Raises:
        SettingsError: an axis moves what is no setting of its recipe, two axes move one setting, or the grid is larger
            than the budget.
    """
    settings = study.settings
    check_axes(settings, source=study.source)
    points = list(_points(settings))
    num_runs = len(points) * len(settings.seeds)
    if num_runs > settings.budget.runs:
        raise SettingsError(
            f"{study.source}: budget.runs must be at least the number of runs, which is {num_runs} ({len(points)} "
            f"points, {len(settings.seeds)} seeds), but is "
            f"{settings.budget.runs}; raise it, or take fewer points or seeds"
        )
    bases = {name: _base(study, name, folder) for name in settings.recipes}
    at_points = [_at(study, point, bases, folder, tuned or {}) for point in points]
    runs = tuple(_with_seed(run, seed) for seed in settings.seeds for run in at_points)
    return Plan(study, runs, bases, identity=_identity(settings, bases))


def _points(settings: StudySettings) -> Iterator[dict[str, str]]:
    labels = settings.labels
    axes = [*(axis for axis in labels if axis != RECIPE_AXIS), RECIPE_AXIS]  # recipes change fastest
    for values in itertools.product(*(labels[axis] for axis in axes)):
        named = dict(zip(axes, values, strict=True))
        yield {axis: named[axis] for axis in labels}


def _base(study: Study, name: str, folder: Path) -> Recipe:
    """Read a base recipe with the study's `changes`; one without data gets those of the log."""
    settings = study.settings
    changes = {path: value for path, value in settings.changes.items() if not path.startswith(LOG)}
    try:
        return with_overrides(_as_written(study, name, folder, seen=()), changes)
    except SettingsError as error:
        raise _explained(study, f"recipes.{name}", error) from None


def _as_written(study: Study, name: str, folder: Path, *, seen: tuple[str, ...]) -> Recipe:
    settings, given = study.settings, study.settings.recipes[name]
    if isinstance(given, str):
        if settings.log is not None:
            raise SettingsError(
                f"must be settings of model and training, since `log` makes the data, but the file {given} was given; "
                "write the settings here, or leave log out"
            )
        return load_recipe(study.folder / given)
    if "like" in given:
        return _like(study, name, given, folder, seen=(*seen, name))
    values: dict[str, Any] = {"name": f"{settings.name}-{name}", **given}
    if settings.log is not None:
        values.setdefault("data", planted_data(folder / "logs", folder / "prepared").model_dump(mode="json"))
    return recipe_from_values(values)


def _like(study: Study, name: str, given: Changes, folder: Path, *, seen: tuple[str, ...]) -> Recipe:
    """Read a recipe that is like another one but for some changes."""
    other, changes = given["like"], given.get("changes", {})
    known = [each for each in study.settings.recipes if each not in seen]
    if other not in known:
        raise SettingsError(f"like must name one of {', '.join(known) or 'the recipes'}, but {other!r} was given")
    if unknown := sorted(given.keys() - {"like", "changes"}):
        raise SettingsError(f"a recipe that is like another may have `changes` beside `like`, but has {unknown} too")
    if not isinstance(changes, Mapping):
        raise SettingsError(f"changes must map paths to values, but {changes!r} was given")
    base = _as_written(study, other, folder, seen=seen)
    return with_overrides(base, {"name": f"{study.name}-{name}", **changes})


def _at(
    study: Study, point: Point, bases: Mapping[str, Recipe], folder: Path, tuned: Mapping[str, Changes]
) -> PlannedRun:
    name, axes = point[RECIPE_AXIS], study.settings.axes
    changes: Changes = {}
    for axis, label in point.items():
        if axis != RECIPE_AXIS:
            changes |= changes_at(axes[axis], label, recipe=name)
    of_log = {path: value for path, value in changes.items() if path.startswith(LOG)}
    of_recipe = {**tuned.get(name, {}), **{path: value for path, value in changes.items() if path not in of_log}}
    log = log_folder = None
    try:
        recipe = with_overrides(bases[name], of_recipe)
        if study.settings.log is not None:
            set_for_all = {path: value for path, value in study.settings.changes.items() if path.startswith(LOG)}
            log = _log_of(study, {**set_for_all, **of_log})
            log_folder = _log_folder(log, folder)
            recipe = with_overrides(recipe, {"data.files.folder": str(log_folder)})
        if log is not None or any(path.startswith(_DATA) for path in of_recipe):
            recipe = with_overrides(recipe, {"data.prepared": str(_prepared(recipe, folder))})
    except SettingsError as error:
        raise _explained(study, f"the point {key_of(point)}", error) from None
    return PlannedRun(point, 0, {**of_recipe, **of_log}, recipe, log, log_folder)


def _with_seed(run: PlannedRun, seed: int) -> PlannedRun:
    recipe = with_overrides(run.recipe, {"training.seed": seed})
    return PlannedRun(run.point, seed, run.changes, recipe, run.log, run.log_folder)


def _log_of(study: Study, changes: Changes) -> PlantedSettings:
    assert study.settings.log is not None, "axes were checked"
    values = study.settings.log.model_dump()
    values |= {path.removeprefix(LOG): value for path, value in changes.items()}
    try:
        return PlantedSettings.model_validate(values)
    except ValidationError as error:
        text = explain_validation_error(error, PlantedSettings, source="log")
        raise SettingsError(f"{study.source}: {text}") from None


def _log_folder(log: PlantedSettings, folder: Path) -> Path:
    return folder / "logs" / _digest(log.model_dump(mode="json"))


def _prepared(recipe: Recipe, folder: Path) -> Path:
    place = [relevant_settings(recipe.data), recipe.data.files.folder]
    return folder / "prepared" / _digest(place)


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _identity(settings: StudySettings, bases: Mapping[str, Recipe]) -> dict[str, Any]:
    """Collect what must not change between the runs of a study: where data lie does not count."""
    recipes = {}
    for name, base in bases.items():
        values = base.given
        values.get("data", {}).pop("prepared", None)
        values.get("data", {}).get("files", {}).pop("folder", None)
        recipes[name] = values
    return {
        "study": settings.name,
        "recipes": recipes,
        "log": None if settings.log is None else settings.log.model_dump(mode="json"),
        "match": None if settings.match is None else settings.match.model_dump(mode="json"),
        "tuning": None if settings.tuning is None else settings.tuning.model_dump(mode="json"),
    }


def _explained(study: Study, place: str, error: SettingsError) -> SettingsError:
    text = str(error).removeprefix(f"{study.source}: ").removeprefix("settings: ")
    return SettingsError(f"{study.source}: {place}: {text}")
