"""The fits of a study's losses by size, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rankelastor.errors import SettingsError
from rankelastor.studies.findings.cells import Cell
from rankelastor.studies.plan.settings import RECIPE_AXIS, ScalingSettings, StudySettings
from rankelastor.studies.report.table import Column, ReportTable, Value
from rankelastor.studies.scaling.crossing import crossing_of
from rankelastor.studies.scaling.resampling import FittedCurve, fit_curve


@dataclass(frozen=True)
class NamedCurve:
    """A curve of a study with the runs that it was fitted to.

    Attributes:
        name: the recipe, with the values of axes that all of its runs have.
        sizes: N of each run.
        losses: loss of each run.
        fit: the fit; None where there are too few sizes.
        problem: why there is no fit.
    """

    name: str
    sizes: tuple[float, ...]
    losses: tuple[float, ...]
    fit: FittedCurve | None
    problem: str = ""


def curves_of(study: StudySettings, cells: Sequence[Cell], settings: ScalingSettings) -> list[NamedCurve]:
    """Fit a curve to the runs of each recipe, or of each combination of the axes but that along which N grows."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if settings.takes(cell.point):
            groups.setdefault(_curve_name(study, cell, settings), []).append(cell)
    return [_fitted(name, found, settings) for name, found in groups.items()]


def fit_tables(study: StudySettings, cells: Sequence[Cell]) -> list[ReportTable]:
    """Make a table of the fits, and one of the crossings, for each scaling that the study asks for."""
    found = []
    for settings, name in named_fits(study):
        curves = curves_of(study, cells, settings)
        if curves:
            found.append(_table(curves, settings, name))
        fitted = {curve.name: curve.fit for curve in curves if curve.fit is not None}
        if len(fitted) > 1:
            found.append(_crossings(fitted, settings, name.replace("scaling", "crossings")))
    return found


def named_fits(study: StudySettings) -> list[tuple[ScalingSettings, str]]:
    """Name the table of each fit: ``scaling``, with its own name or, of several, its number."""
    several = len(study.scaling) > 1
    return [
        (settings, f"scaling_{settings.name or place}" if settings.name or several else "scaling")
        for place, settings in enumerate(study.scaling, 1)
    ]


def fit_title(settings: ScalingSettings) -> str:
    """Write the title of a fit.

    Example:
        >>> fit_title(ScalingSettings(name="depth"))
        'Scaling of the logloss by dense parameters (depth)'
    """
    name = f" ({settings.name})" if settings.name else ""
    return f"Scaling of the {settings.loss} by {settings.size.replace('_', ' ')}{name}"


def _curve_name(study: StudySettings, cell: Cell, settings: ScalingSettings) -> str:
    along = settings.along
    others = [
        f"{axis}={cell.point[axis]}"
        for axis in study.axes
        if along is not None and axis != along and axis not in settings.where
    ]
    return ", ".join([*([cell.point[RECIPE_AXIS]] if along != RECIPE_AXIS else []), *others]) or "all"


def _fitted(name: str, cells: Sequence[Cell], settings: ScalingSettings) -> NamedCurve:
    rows = [
        (size, loss, _best(cell, seed, settings))
        for cell in cells
        for seed, loss in cell.values(settings.loss).items()
        if (size := cell.values(settings.size).get(seed)) is not None
    ]
    sizes, losses = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    floor = None if settings.floor == "free" else settings.floor
    try:
        if floor == "best_possible":
            floor = _one_floor([row[2] for row in rows])
        assert floor is None or isinstance(floor, float), "it is a number now"
        return NamedCurve(name, sizes, losses, fit_curve(sizes, losses, floor=floor))
    except SettingsError as error:
        return NamedCurve(name, sizes, losses, None, str(error))


def _best(cell: Cell, seed: int, settings: ScalingSettings) -> float | None:
    best = cell.lines[seed].best_possible
    if best is None:
        return None
    return best["test"]["logloss"] if settings.loss == "logloss" else 1 - best["test"]["auc"]


def _one_floor(best: Sequence[float | None]) -> float:
    known = {value for value in best if value is not None}
    if len(known) != 1 or None in best:
        raise SettingsError(
            f"floor: best_possible needs runs on one planted log, but {len(known)} best losses are known; choose a log "
            "with `where`, or let the floor be free"
        )
    return known.pop()


def _table(curves: Sequence[NamedCurve], settings: ScalingSettings, name: str) -> ReportTable:
    columns = (
        Column("curve"),
        Column("runs", "count"),
        Column("sizes"),
        *(Column(title, "number") for title in ("exponent", "low", "high")),
        *(Column(title, "metric") for title in ("floor", "low", "high")),
        *(Column(title, "number") for title in ("variance explained", "rms error")),
        Column("what it says"),
    )
    rows = tuple(_row(curve) for curve in curves)
    floor = {"free": "the floor is fitted, too", "best_possible": "the floor is the log's known best"}
    what = floor.get(str(settings.floor), f"the floor is {settings.floor}")
    first = (
        f"{settings.loss} of test by {settings.size.replace('_', ' ')}: L(N) = L_inf + a N^-b, {what}; intervals of "
        f"95 % by resampling the runs. A curve is read at most {settings.reach:g} times beyond its sizes."
    )
    notes = [first]
    notes += [f"{curve.name}: {curve.problem}" for curve in curves if curve.problem]
    return ReportTable(name, fit_title(settings), columns, rows, tuple(notes))


def _row(curve: NamedCurve) -> tuple[Value, ...]:
    sizes = f"{min(curve.sizes):,.0f} to {max(curve.sizes):,.0f}" if curve.sizes else ""
    if curve.fit is None:
        return (curve.name, len(curve.sizes), sizes, *[None] * 8, "no fit")
    law, fit = curve.fit.law, curve.fit
    return (
        curve.name,
        fit.num_runs,
        sizes,
        law.exponent,
        *fit.exponent_interval,
        law.floor,
        *fit.floor_interval,
        law.explained,
        law.error,
        _verdict(fit),
    )


def _verdict(fit: FittedCurve) -> str:
    """Say whether the loss falls with N."""
    if fit.law.exponent == 0:
        return "the loss does not fall"
    return "the loss falls" if fit.exponent_interval[0] > 0 else "no fall can be told"


def _crossings(fitted: Mapping[str, FittedCurve], settings: ScalingSettings, name: str) -> ReportTable:
    rows: list[tuple[Value, ...]] = []
    for one, other in combinations(fitted, 2):
        found = crossing_of(fitted[one], fitted[other], reach=settings.reach)
        rows.append((one, other, "their sizes have no range in common" if found is None else found.words))
    columns = (Column("curve"), Column("other curve"), Column("where they cross"))
    title = f"Crossings ({settings.name})" if settings.name else "Crossings"
    return ReportTable(name, title, columns, tuple(rows))
