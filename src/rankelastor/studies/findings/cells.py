"""The runs of a study by point: the values of each metric over seeds, their mean and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from rankelastor.studies.plan.grid import Plan, Point, key_of
from rankelastor.studies.work.lines import RunLine

CostName = Literal["dense_parameters", "flops_per_example", "seconds"]


@dataclass(frozen=True)
class Cell:
    """The runs of one point that finished, by seed.

    Attributes:
        point: the value of each axis.
        lines: the run of each seed.
        num_failed: runs of the point that failed.
    """

    point: Point
    lines: dict[int, RunLine]
    num_failed: int = 0

    @property
    def name(self) -> str:
        """Name of the point."""
        return key_of(self.point)

    def values(self, metric: str) -> dict[int, float]:
        """The metric of the test split by seed, without runs that have none; ``1-auc`` and costs are metrics, too."""
        found = {seed: value_of(line, metric) for seed, line in self.lines.items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def mean(self, metric: str) -> float | None:
        """The mean of a metric over seeds."""
        values = self.values(metric)
        return fmean(values.values()) if values else None

    def deviation(self, metric: str) -> float | None:
        """The standard deviation of a metric over seeds; None for fewer than two."""
        values = list(self.values(metric).values())
        return stdev(values) if len(values) > 1 else None

    def ranks(self, measure: str) -> dict[str, float]:
        """The rank after each stage, mean over test examples and seeds; empty for a model without tokens."""
        paths = [line.ranks[measure] for line in self.lines.values() if line.ranks.get(measure)]
        return {stage: fmean(path[stage] for path in paths) for stage in paths[0]} if paths else {}


def cells_of(plan: Plan, lines: Sequence[RunLine]) -> list[Cell]:
    """Sort the lines into the points of the plan, in its order; points without any line are left out."""
    by_key = {line.key: line for line in lines}
    points = {key_of(run.point): run.point for run in plan.runs}
    found = []
    for name, point in points.items():
        runs = [(run.seed, by_key[run.key]) for run in plan.runs if key_of(run.point) == name and run.key in by_key]
        if runs:
            finished = {seed: line for seed, line in runs if line.is_finished}
            found.append(Cell(point, finished, len(runs) - len(finished)))
    return found


def data_of(cell: Cell, axes: Sequence[str]) -> str:
    """Name the data of a cell by the values of the axes that move the data; empty where none does."""
    return ", ".join(f"{axis}={cell.point[axis]}" for axis in axes)


def value_of(line: RunLine, metric: str) -> float | None:
    """Return a metric of the test split, a cost, the wall time, or the number of train rows.

    Example:
        >>> line = RunLine("s", "mlp/seed=1", {"recipe": "mlp"}, 1, "finished", metrics={"test": {"auc": 0.75}})
        >>> value_of(line, "auc"), value_of(line, "1-auc"), value_of(line, "gauc")
        (0.75, 0.25, None)
    """
    match metric:
        case "1-auc":
            auc = line.metric("auc")
            return None if auc is None else 1 - auc
        case "seconds":
            return line.seconds
        case "train_rows":
            return None if line.num_train_rows is None else float(line.num_train_rows)
        case "dense_parameters" | "flops_per_example" | "embedding_parameters":
            cost = line.cost.get(metric)
            return None if cost is None else float(cost)
    return line.metric(metric)
