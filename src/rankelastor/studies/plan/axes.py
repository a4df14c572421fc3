"""The changes of settings that the points of axes make, and whether axes disturb one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rankelastor.config.short_paths import SHORT_PATHS
from rankelastor.errors import SettingsError
from rankelastor.studies.plan.settings import AxisSettings, Changes, StudySettings
from rankelastor.tuning.space import paths_of

LOG = "log."
"""The beginning of a path to a setting of the planted log."""
_SEED = "training.seed"
_DATA = (LOG, "data.", "training.train_share")


def changes_at(axis: AxisSettings, label: str, *, recipe: str) -> Changes:
    """List the changes that a point of an axis makes to a recipe.

    Example:
        >>> axis = AxisSettings(points={"wide": {"model.token_dim": 48, "mixer": {"model.num_blocks": 3}}})
        >>> changes_at(axis, "wide", recipe="mixer"), changes_at(axis, "wide", recipe="mlp")
        ({'model.token_dim': 48, 'model.num_blocks': 3}, {'model.token_dim': 48})
    """
    if axis.points is None:
        assert axis.setting is not None, "settings require it"
        assert axis.values is not None, "settings require it"
        value = axis.values[axis.labels.index(label)]
        return dict.fromkeys(paths_of(axis.setting), value)
    found: Changes = {}
    for path, value in axis.points[label].items():
        if "." in path:
            found |= dict.fromkeys(paths_of(path), value)
        elif path == recipe:
            found |= {inner: each for joined, each in value.items() for inner in paths_of(joined)}
    return found


def data_axes(study: StudySettings) -> tuple[str, ...]:
    """List the axes that move the data: results at their points are not comparable as they stand.

    Example:
        >>> axes = {"order": {"setting": "log.order", "values": [2]}, "width": {"setting": "model.dim", "values": [8]}}
        >>> data_axes(StudySettings(name="s", recipes={"a": "a.yaml"}, log={}, axes=axes))
        ('order',)
    """
    return tuple(
        name
        for name, axis in study.axes.items()
        if any(path.startswith(_DATA) for path in _paths(name, axis, study, source=study.name))
    )


def check_axes(study: StudySettings, *, source: str) -> None:
    """Check that no setting is moved from two places, and that recipes which axes name exist.

    Raises:
        SettingsError: two axes move one setting, or one that `changes` sets, or the seed.
    """
    moved: dict[str, str] = {_full(path): "changes" for path in study.changes}
    for name, axis in study.axes.items():
        paths = {_full(path) for path in _paths(name, axis, study, source=source)}
        for path in sorted(paths):
            if path == _SEED:
                raise SettingsError(f"{source}: axes.{name} must not move {_SEED}, which `seeds` lists; leave it out")
            if path.startswith(LOG) and study.log is None:
                raise SettingsError(
                    f"{source}: axes.{name} moves {path}, but the study has no planted log; add `log: {{}}`, or name a "
                    "setting of the recipes"
                )
            for other, place in moved.items():
                if _overlap(path, other):
                    where = place if place == "changes" else f"axes.{place}"
                    raise SettingsError(
                        f"{source}: a setting must be moved from one place, but axes.{name} moves {path} and {where} "
                        f"{'sets' if place == 'changes' else 'moves'} {other}; join them as `points` of one axis, or "
                        "remove one"
                    )
        moved |= dict.fromkeys(paths, name)


def _paths(name: str, axis: AxisSettings, study: StudySettings, *, source: str) -> Iterator[str]:
    if axis.setting is not None:
        yield from paths_of(axis.setting)
    for label, changes in (axis.points or {}).items():
        for path, value in changes.items():
            if "." in path:
                yield from paths_of(path)
            elif path not in study.recipes:
                raise SettingsError(
                    f"{source}: axes.{name}.points.{label} must hold paths of settings, such as model.token_dim, or "
                    f"recipes of {', '.join(study.recipes)}, but {path!r} was given"
                )
            elif not isinstance(value, Mapping):
                raise SettingsError(
                    f"{source}: axes.{name}.points.{label}.{path} must map paths to values, but {value!r} was given"
                )
            else:
                yield from (inner for joined in value for inner in paths_of(joined))


def _full(path: str) -> str:
    """Write a path in full, where it has a short form."""
    return SHORT_PATHS.get(path, path)


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
