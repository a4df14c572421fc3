"""The figures of a study's page, as plain values that its script draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rankelastor.spectrum.report.stage_names import stage_label
from rankelastor.studies.findings.cells import Cell
from rankelastor.studies.findings.comparisons import comparisons_of
from rankelastor.studies.findings.rank_and_auc import last_ranks
from rankelastor.studies.plan.settings import RECIPE_AXIS, ScalingSettings, StudySettings
from rankelastor.studies.report.fits import NamedCurve, curves_of, fit_title, named_fits

_CURVE_POINTS = 60
_MOST_PATHS = 16
"""More paths than this in one figure cannot be told apart; the table holds all."""
Figure = dict[str, Any]


def figures_of(study: StudySettings, cells: Sequence[Cell]) -> list[Figure]:
    """Make the figures for which there are results: differences, AUC by cost, fits, ranks by stage and against AUC."""
    found = [_differences(study, cells, metric) for metric in study.metrics]
    found += [_by_cost(cells)]
    for settings, name in named_fits(study):
        curves = [curve for curve in curves_of(study, cells, settings) if curve.fit is not None]
        found.append(_scaling(curves, settings, name))
    found += [_ranks_by_stage(cells), _ranks(cells)]
    return [figure for figure in found if figure["series"]]


def _differences(study: StudySettings, cells: Sequence[Cell], metric: str) -> Figure:
    comparisons = comparisons_of(study, cells, metric)
    series: dict[str, dict[str, Any]] = {}
    for each in comparisons:
        low, high = each.difference.interval or (each.difference.mean, each.difference.mean)
        points = series.setdefault(each.value, {"name": each.value, "x": [], "y": [], "low": [], "high": []})
        label = ", ".join(f"{label}" for axis, label in each.rest.items()) or "all"
        points["x"].append(each.difference.mean)
        points["y"].append(label)
        points["low"].append(low)
        points["high"].append(high)
    against = comparisons[0].against if comparisons else ""
    caption = (
        f"Mean paired difference over seeds with its interval; right of the line the value is above {against}. "
        "Points without an interval have one seed."
    )
    title = f"Differences of test {metric} from {against}"
    return {
        "name": f"differences_{metric}",
        "kind": "intervals",
        "title": title,
        "x": f"difference of {metric}",
        "y": "",
        "caption": caption,
        "series": list(series.values()),
    }


def _by_cost(cells: Sequence[Cell]) -> Figure:
    series: dict[str, dict[str, Any]] = {}
    for cell in cells:
        cost, auc = cell.mean("dense_parameters"), cell.mean("auc")
        if cost is not None and auc is not None:
            recipe = cell.point[RECIPE_AXIS]
            points = series.setdefault(recipe, {"name": recipe, "x": [], "y": [], "text": []})
            points["x"].append(cost)
            points["y"].append(auc)
            points["text"].append(cell.name)
    return {
        "name": "auc_by_cost",
        "kind": "scatter",
        "title": "AUC by dense parameters",
        "x": "dense parameters",
        "y": "mean test AUC",
        "caption": "One point for each combination of the axes.",
        "series": list(series.values()),
        "log": True,
    }


def _scaling(curves: Sequence[NamedCurve], settings: ScalingSettings, name: str) -> Figure:
    series = []
    for curve in curves:
        assert curve.fit is not None, "it is fitted"
        law = curve.fit.law
        sizes = np.geomspace(law.smallest, law.largest, _CURVE_POINTS)
        line = [law.at(float(size)) for size in sizes]
        series.append(
            {
                "name": curve.name,
                "x": list(curve.sizes),
                "y": list(curve.losses),
                "line_x": sizes.tolist(),
                "line_y": line,
            }
        )
    caption = "A point for each run, and the fitted power law within the sizes that were run."
    return {
        "name": name,
        "kind": "scatter",
        "title": fit_title(settings),
        "x": settings.size.replace("_", " "),
        "y": settings.loss,
        "caption": caption,
        "series": series,
        "log": True,
    }


def _ranks_by_stage(cells: Sequence[Cell], measure: str = "stable_rank") -> Figure:
    paths = {cell.name: cell.ranks(measure) for cell in cells}
    series = [
        {"name": name, "x": [stage_label(stage) for stage in path], "y": list(path.values())}
        for name, path in paths.items()
        if path
    ]
    return {
        "name": "ranks_by_stage",
        "kind": "paths",
        "title": "Rank by stage",
        "x": "",
        "y": "mean stable rank of test examples",
        "caption": "A path for each combination of the axes: the rank of the "
        "token matrices after each stage, mean over examples and seeds.",
        "series": series if len(series) <= _MOST_PATHS else [],
    }


def _ranks(cells: Sequence[Cell], measure: str = "stable_rank") -> Figure:
    series: dict[str, dict[str, Any]] = {}
    for cell in cells:
        recipe = cell.point[RECIPE_AXIS]
        for seed, rank in last_ranks(cell, measure).items():
            points = series.setdefault(recipe, {"name": recipe, "x": [], "y": [], "text": []})
            points["x"].append(rank)
            points["y"].append(cell.values("auc").get(seed))
            points["text"].append(f"{cell.name}, seed {seed}")
    return {
        "name": "rank_and_auc",
        "kind": "scatter",
        "title": "Rank and AUC",
        "x": "stable rank after the last stage",
        "y": "test AUC",
        "caption": "A point for each run.",
        "series": list(series.values()),
    }
