"""Whether runs of higher rank have a higher AUC: rank correlations with intervals, overall and within a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from scipy.stats import rankdata

from rankelastor.studies.findings.cells import Cell, data_of

Scope = Literal["all runs", "within a point", "within a recipe"]
METHOD = "Spearman's correlation, bootstrap over points"
_DRAWS = 500
_SEED = 18
_FEWEST = 4

Values = Float64[ndarray, " run"]
Numbers = Int64[ndarray, " run"]


@dataclass(frozen=True)
class RankAndAuc:
    """How one measure of rank after the last stage goes with the test AUC.

    Attributes:
        measure: the measure of rank.
        scope: the runs that are compared: all of them, or each with the mean of its point or recipe taken off.
        correlation: Spearman's correlation.
        low: lower end of its 95 % interval.
        high: upper end.
        num_runs: number of runs.
    """

    measure: str
    scope: Scope
    correlation: float
    low: float
    high: float
    num_runs: int

    @property
    def verdict(self) -> str:
        """Say what the interval allows to be said."""
        if self.low > 0:
            return "higher rank goes with higher AUC"
        if self.high < 0:
            return "higher rank goes with lower AUC"
        return "no connection can be told"


def rank_and_auc(cells: Sequence[Cell], *, data: Sequence[str] = ()) -> list[RankAndAuc]:
    """Correlate each measure of the last stage with the test AUC, over all runs and within points and recipes.

    Where axes move the data, runs are compared on the same data alone: the mean of their data is taken off first.

    Points are drawn anew with all their runs, since the seeds of a point are no independent evidence on other points.

    Args:
        cells: the runs by point.
        data: the axes that move the data.
    """
    found = []
    for measure in _measures(cells):
        ranks, aucs, points, recipes, logs = _columns(cells, measure, data)
        if len(ranks) < _FEWEST:
            continue
        scopes: tuple[tuple[Scope, Numbers], ...] = (
            ("all runs", logs),
            ("within a recipe", recipes),
            ("within a point", points),
        )
        for scope, groups in scopes:
            several = _in_groups_of_several(groups)
            if several.sum() >= _FEWEST:
                rank, auc = (_centred(column[several], groups[several]) for column in (ranks, aucs))
                found.append(_correlated(measure, scope, rank, auc, points[several]))
    return [each for each in found if np.isfinite(each.correlation)]


def last_ranks(cell: Cell, measure: str) -> dict[int, float]:
    """Return the rank after the last stage by seed."""
    return {
        seed: list(line.ranks[measure].values())[-1] for seed, line in cell.lines.items() if line.ranks.get(measure)
    }


def spearman(one: Values, other: Values) -> float:
    """Compute Spearman's correlation; nan where one of them does not vary.

    Example:
        >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 9.0, 10.0])), 6)
        1.0
    """
    first, second = (rankdata(values) - (len(values) + 1) / 2 for values in (one, other))
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / scale) if scale else float("nan")


def _measures(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(measure for cell in cells for line in cell.lines.values() for measure in line.ranks))


def _columns(
    cells: Sequence[Cell], measure: str, data: Sequence[str]
) -> tuple[Values, Values, Numbers, Numbers, Numbers]:
    """Collect rank and AUC of each run, and the number of its point, of its recipe on its data, and of its data."""
    logs = [data_of(cell, data) for cell in cells]
    recipes = [f"{cell.point['recipe']} {log}" for cell, log in zip(cells, logs, strict=True)]
    rows = [
        (rank, aucs[seed], place, recipes.index(recipes[place]), logs.index(logs[place]))
        for place, cell in enumerate(cells)
        for aucs in [cell.values("auc")]
        for seed, rank in last_ranks(cell, measure).items()
        if seed in aucs
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    numbers = table[:, 2:].astype(np.int64)
    return table[:, 0], table[:, 1], numbers[:, 0], numbers[:, 1], numbers[:, 2]


def _in_groups_of_several(groups: Numbers) -> Bool[ndarray, " run"]:
    """Choose the runs whose group has another run, since a run alone says nothing of its group."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    chosen: Bool[ndarray, " run"] = counts[place] > 1
    return chosen


def _centred(values: Values, groups: Int64[ndarray, " run"]) -> Values:
    """Take the mean of its group off each value."""
    centred = values.copy()
    for group in np.unique(groups):
        centred[groups == group] -= values[groups == group].mean()
    return centred


def _correlated(measure: str, scope: Scope, ranks: Values, aucs: Values, points: Int64[ndarray, " run"]) -> RankAndAuc:
    draws = np.random.default_rng(_SEED)
    runs = {point: np.flatnonzero(points == point) for point in np.unique(points)}
    names = np.array(list(runs))
    drawn = []
    for _ in range(_DRAWS):
        chosen = np.concatenate([runs[point] for point in draws.choice(names, len(names))])
        drawn.append(spearman(ranks[chosen], aucs[chosen]))
    finite = np.array([value for value in drawn if np.isfinite(value)])
    low, high = np.quantile(finite, [0.025, 0.975]) if len(finite) else (float("nan"), float("nan"))
    return RankAndAuc(measure, scope, spearman(ranks, aucs), float(low), float(high), len(ranks))
