"""The tables of a study: results, differences, Pareto fronts, rank against AUC, fits, failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from rankelastor.metrics.table import METRICS
from rankelastor.percent import percent
from rankelastor.studies.findings.cells import Cell, cells_of, data_of
from rankelastor.studies.findings.comparisons import Comparison, comparisons_of, smallest_of
from rankelastor.studies.findings.holm import CORRECTION
from rankelastor.studies.findings.paired import POWER, TEST
from rankelastor.studies.findings.pareto import pareto_front
from rankelastor.studies.findings.rank_and_auc import METHOD, rank_and_auc
from rankelastor.studies.plan.axes import data_axes
from rankelastor.studies.plan.grid import Plan
from rankelastor.studies.report.fits import fit_tables
from rankelastor.studies.report.table import Column, ReportTable, Value
from rankelastor.studies.work.lines import RunLine

_COSTS = {"dense_parameters": "dense parameters", "flops_per_example": "FLOPs per example", "seconds": "seconds"}
_FEW_SEEDS = 3
_MEASURE = "stable_rank"


def tables_of(plan: Plan, lines: Sequence[RunLine]) -> list[ReportTable]:
    """Make all tables for which there are results.

    Args:
        plan: the plan of the study.
        lines: its results; lines of runs that are not in the plan are left out.
    """
    cells = cells_of(plan, lines)
    if not cells:
        return []
    study = plan.study.settings
    found = [_results(plan, cells)]
    for metric in study.metrics:
        comparisons = comparisons_of(study, cells, metric)
        if comparisons:
            found.append(_differences(comparisons, metric))
    if len(cells) > 1:
        found.append(_pareto(plan, cells))
    if any(cell.ranks(_MEASURE) for cell in cells):
        found.append(_ranks_by_stage(plan, cells))
    ranks = [each for each in rank_and_auc(cells, data=data_axes(study)) if each.num_runs > _FEW_SEEDS]
    if ranks:
        columns = (
            *map(Column, ("measure after the last stage", "compared")),
            *(Column(title, "number") for title in ("correlation", "low", "high", "runs")),
            Column("what it says"),
        )
        rows = tuple(
            (each.measure, each.scope, each.correlation, each.low, each.high, each.num_runs, each.verdict)
            for each in ranks
        )
        found.append(
            ReportTable(
                "rank_and_auc",
                "Rank and AUC",
                columns,
                rows,
                (f"{METHOD}; intervals of 95 %. Runs are compared on the same data alone.",),
            )
        )
    found += fit_tables(study, cells)
    failed = tuple(_failed(plan, lines))
    if failed:
        found.append(ReportTable("failed", "Failed runs", (Column("run"), Column("reason")), failed))
    return found


def _results(plan: Plan, cells: Sequence[Cell]) -> ReportTable:
    metrics = [metric for metric in plan.study.settings.metrics if any(cell.values(metric) for cell in cells)]
    axes = tuple(plan.study.settings.labels)
    has_best = any(line.best_possible for cell in cells for line in cell.lines.values())
    columns = (
        *map(Column, axes),
        Column("seeds", "count"),
        *(Column(title, "metric") for metric in metrics for title in (f"test {metric}", "±")),
        *((Column("share of the possible gain", "number"),) if has_best else ()),
        *(Column(title, "count") for title in _COSTS.values()),
    )
    rows = []
    for cell in cells:
        row: list[Value] = [*(cell.point[axis] for axis in axes), len(cell.lines)]
        for metric in metrics:
            row += [cell.mean(metric), cell.deviation(metric)]
        if has_best:
            row.append(_share_of_gain(cell))
        rows.append((*row, *(cell.mean(cost) for cost in _COSTS)))
    notes = ["Mean and standard deviation over seeds of the weights that are best on valid."]
    if has_best:
        notes.append("The possible gain is that of the log's true probabilities over an AUC of 0.5.")
    if any(len(cell.lines) < _FEW_SEEDS for cell in cells):
        notes.append("Points with fewer than three seeds say little.")
    return ReportTable("results", "Results", columns, tuple(rows), tuple(notes))


def _share_of_gain(cell: Cell) -> float | None:
    shares = [
        (auc - 0.5) / (line.best_possible["test"]["auc"] - 0.5)
        for line in cell.lines.values()
        if line.best_possible is not None and (auc := line.metric("auc")) is not None
    ]
    return fmean(shares) if shares else None


def _differences(comparisons: Sequence[Comparison], metric: str) -> ReportTable:
    axes = tuple(comparisons[0].rest)
    columns = (
        *map(Column, axes),
        Column("compared"),
        Column("with"),
        *(Column(title, "signed") for title in ("difference", "low", "high")),
        Column("seeds", "count"),
        *(Column(title, "p") for title in ("p", "p corrected")),
        Column("verdict"),
    )
    rows = tuple(
        (
            *(each.rest[axis] for axis in axes),
            each.value,
            each.against,
            each.difference.mean,
            *(each.difference.interval or (None, None)),
            each.difference.num_seeds,
            each.difference.p,
            each.corrected_p,
            each.verdict,
        )
        for each in comparisons
    )
    title = METRICS[metric].title if metric in METRICS else metric
    confidence = percent(comparisons[0].confidence)
    corrected = f"p corrected for {len(comparisons)} comparisons by {CORRECTION}"
    notes = [f"{TEST.capitalize()}, intervals of {confidence}; {corrected}."]
    smallest = smallest_of(comparisons)
    if smallest is None:
        notes.append("One seed each: no difference can be told from luck.")
    else:
        notes.append(
            f"The smallest difference that one such comparison tells apart in {percent(POWER)} of repetitions is "
            f"{smallest:.6f} (spread pooled over the comparisons)."
        )
    return ReportTable(f"differences_{metric}", f"Differences of test {title}", columns, rows, tuple(notes))


def _pareto(plan: Plan, cells: Sequence[Cell]) -> ReportTable:
    axes = data_axes(plan.study.settings)
    rows: list[tuple[Value, ...]] = []
    for log in dict.fromkeys(data_of(cell, axes) for cell in cells):
        here = [cell for cell in cells if data_of(cell, axes) == log]
        values = {cell.name: mean for cell in here if (mean := cell.mean("auc")) is not None}
        for cost, title in _COSTS.items():
            costs = {cell.name: mean for cell in here if (mean := cell.mean(cost)) is not None}
            rows += [(title, name, costs[name], values[name]) for name in pareto_front(costs, values)]
    columns = (Column("cost"), Column("point"), Column("its cost", "count"), Column("test auc", "metric"))
    where = f" with the same {' and '.join(axes)}" if axes else ""
    notes = (f"The points to which no other{where} has a better mean AUC at the same cost or less.",)
    return ReportTable("pareto", "Pareto front of AUC and cost", columns, tuple(rows), notes)


def _ranks_by_stage(plan: Plan, cells: Sequence[Cell]) -> ReportTable:
    axes = tuple(plan.study.settings.labels)
    columns = (*map(Column, axes), Column("stages", "count"), Column("stable rank after each stage"))
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (*(cell.point[axis] for axis in axes), len(ranks), ", ".join(f"{rank:.2f}" for rank in ranks.values()))
        for cell in cells
        if (ranks := cell.ranks(_MEASURE))
    )
    notes = (
        "Mean over test examples and seeds: of the embedded fields, the tokens, then each mixing and per-token FFN.",
    )
    return ReportTable("ranks_by_stage", "Rank by stage", columns, rows, notes)


def _failed(plan: Plan, lines: Sequence[RunLine]) -> Iterator[tuple[Value, ...]]:
    planned = set(plan.keys)
    yield from ((line.key, line.reason) for line in lines if line.key in planned and not line.is_finished)
