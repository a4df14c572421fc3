"""Own results beside published ones: the figures, their differences, and what differs in how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rankelastor.studies.findings.cells import Cell
from rankelastor.studies.ledger import PublishedEntry
from rankelastor.studies.plan.settings import RECIPE_AXIS, StudySettings
from rankelastor.studies.report.table import Column, ReportTable, Value


def published_tables(
    study: StudySettings, cells: Sequence[Cell], entries: Sequence[PublishedEntry]
) -> list[ReportTable]:
    """Make a table for each entry: ``published``, and of several ``published_1``, ``published_2`` and so on."""
    return [
        _table(study, cells, entry, name="published" if len(entries) == 1 else f"published_{place}")
        for place, entry in enumerate(entries, 1)
    ]


def _table(study: StudySettings, cells: Sequence[Cell], entry: PublishedEntry, *, name: str) -> ReportTable:
    """Set the mean of each recipe beside the published figure of the model of its name, and say what differs.

    Differences from the baseline of the study are set beside published differences, too, since they compare across
    data and protocols better than the figures themselves.
    """
    columns = (
        Column(RECIPE_AXIS),
        Column("point"),
        Column("metric"),
        *(Column(title, "metric") for title in ("here", "±", "published")),
        Column("here - published", "signed"),
        *(Column(title, "signed") for title in ("here from the baseline", "published from the baseline")),
    )
    rows = tuple(_rows(study, cells, entry))
    seeds = min((len(cell.lines) for cell in cells), default=0)
    data = "the planted log" if study.log is not None else "the data of the study"
    here = f"Here: {data}, {seeds} seeds a point, best weights by the monitor of the recipe; the baseline is "
    published = f"Published: {entry.source}; {entry.protocol}; data {entry.data}."
    notes = (published, f"{here}{_baseline(study)}.")
    return ReportTable(name, f"Beside published figures: {entry.name}", columns, rows, notes)


def _rows(study: StudySettings, cells: Sequence[Cell], entry: PublishedEntry) -> Iterator[tuple[Value, ...]]:
    baseline = _baseline(study)
    for cell in cells:
        recipe = cell.point[RECIPE_AXIS]
        point = ", ".join(f"{axis}={label}" for axis, label in cell.point.items() if axis != RECIPE_AXIS)
        base = next((each for each in cells if each.point == {**cell.point, RECIPE_AXIS: baseline}), None)
        for metric, published in entry.figures.get(recipe, {}).items():
            mine = cell.mean(metric)
            if mine is None:
                continue
            theirs = None if base is None else base.mean(metric)
            known = entry.figures.get(baseline, {}).get(metric)
            yield (
                recipe,
                point,
                metric,
                mine,
                cell.deviation(metric),
                published,
                None if study.log is not None else mine - published,
                None if theirs is None else mine - theirs,
                None if known is None else published - known,
            )


def _baseline(study: StudySettings) -> str:
    compare = study.compare
    is_of_recipes = compare.axis == RECIPE_AXIS and compare.against is not None
    return str(compare.against) if is_of_recipes else next(iter(study.recipes))
