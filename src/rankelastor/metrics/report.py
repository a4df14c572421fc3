"""All metrics of a set of predictions, for one task or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.html_table import html_table
from rankelastor.metrics.metric import Figure
from rankelastor.metrics.table import METRICS
from rankelastor.metrics.undefined import why_undefined

DECIMALS = 6
TASKS = "tasks"
"""Key of the figures of each task, if there are several."""
LEFT_OUT = "left_out"
"""Key of the reasons why metrics are missing, by name; without those that need a group in data that have none."""

_SHOWN = ("auc", "gauc", "logloss", "num_examples")


@dataclass(frozen=True)
class Metrics:
    """Metrics by task and by name, without those that are not defined for a task.

    ``left_out`` says why a metric is not defined, by task and by name; metrics that need a group are not named if the
    data have none.
    """

    by_task: Mapping[str, Mapping[str, Figure]]
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show the main metrics, means over the tasks if there are several.

        Example:
            >>> Metrics({"click": {"auc": 0.75, "logloss": 0.5, "num_examples": 10}})
            Metrics(auc 0.750000, logloss 0.500000, num_examples 10)
        """
        figures = self.as_dict()
        shown = {name: figures[name] for name in _SHOWN if name in figures}
        texts = [
            f"{name} {value}" if isinstance(value, int) else f"{name} {value:.6f}" for name, value in shown.items()
        ]
        return f"Metrics({', '.join(texts + ([f'{len(self.by_task)} tasks'] if TASKS in figures else []))})"

    def value(self, name: str) -> Figure:
        """Return one metric in full precision; nan if it is not defined.

        Args:
            name: ``auc`` for the only task or the mean over several; ``like.auc`` for the task ``like`` of several.
        """
        return read_figure(_arrange(self.by_task), name)

    def as_dict(self) -> dict[str, Any]:
        """Convert to metrics by name, rounded to six decimals, without those that are not defined.

        With several tasks each figure is the mean over the tasks, left out if a task lacks it, and ``tasks`` holds the
        figures of each task. ``left_out`` maps the metrics that are missing to the reason, if there are any.

        Example:
            >>> Metrics({"click": {"auc": 0.75}}).as_dict()
            {'auc': 0.75}
            >>> Metrics({"click": {"auc": 0.75}}, {"click": {"gauc": "no group holds both labels"}}).as_dict()
            {'auc': 0.75, 'left_out': {'gauc': 'no group holds both labels'}}
            >>> Metrics({"click": {"auc": 0.75}, "like": {"auc": 0.5}}).as_dict()
            {'auc': 0.625, 'tasks': {'click': {'auc': 0.75}, 'like': {'auc': 0.5}}}
        """
        arranged = _arrange(self.by_task, decimals=DECIMALS)
        if not any(self.left_out.values()):
            return arranged
        for task, figures in arranged.get(TASKS, {}).items():
            if reasons := self.left_out.get(task):
                figures[LEFT_OUT] = dict(reasons)
        return arranged | {LEFT_OUT: self._reasons()}

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for figures in self.by_task.values() for name in figures))
        rows = [
            [name, *(f"{each[name]:.6g}" if name in each else "" for each in self.by_task.values())] for name in names
        ]
        return html_table(["metric", *self.by_task], rows)

    def _reasons(self) -> dict[str, str]:
        """Give the first reason for each metric; with several tasks it names the task."""
        reasons: dict[str, str] = {}
        for task, by_name in self.left_out.items():
            for name, reason in by_name.items():
                reasons.setdefault(name, reason if len(self.by_task) == 1 else f"{task}: {reason}")
        return reasons


def evaluate_predictions(
    label: Shaped[ndarray, "example task"],
    probability: Float[ndarray, "example task"],
    *,
    tasks: Sequence[str],
    group: Int[ndarray, " example"] | None = None,
    weight: Float[ndarray, " example"] | None = None,
    names: Sequence[str] | None = None,
) -> Metrics:
    """Compute the metrics of probabilities against labels, task by task.

    Args:
        label: 0 or 1.
        probability: predictions in 0..1.
        tasks: names of the columns.
        group: group of each example, such as the user, for grouped metrics; or None.
        weight: weight of each example, or None.
        names: names of the metrics to compute; None computes all.

    Example:
        >>> label, probability = np.array([[0], [1]]), np.array([[0.25], [0.75]])
        >>> evaluate_predictions(label, probability, tasks=["click"]).as_dict()["auc"]
        1.0
    """
    assert label.shape[1] == len(tasks), "each task has a column of labels"
    by_task, left_out = {}, {}
    for task, task_labels, scores in zip(tasks, label.T, probability.T, strict=True):
        columns = np.ascontiguousarray(task_labels), np.ascontiguousarray(scores)
        values = {
            name: METRICS[name](*columns, weight=weight, group=group) for name in (METRICS if names is None else names)
        }
        by_task[task] = {name: value for name, value in values.items() if not math.isnan(value)}
        left_out[task] = {
            name: why_undefined(METRICS[name], columns[0], weight=weight, group=group)
            for name, value in values.items()
            if math.isnan(value) and not (METRICS[name].needs_group and group is None)
        }
    return Metrics(by_task, left_out)


def read_figure(figures: Mapping[str, Any], name: str) -> Figure:
    """Read ``auc``, or ``like.auc`` of the task ``like``, from ``Metrics.as_dict()``; nan if it is missing.

    Example:
        >>> read_figure({"auc": 0.6, "tasks": {"click": {"auc": 0.7}, "like": {"auc": 0.5}}}, "like.auc")
        0.5
    """
    task, _, metric = name.rpartition(".")
    chosen = figures.get(TASKS, {}).get(task, {}) if task else figures
    value: Figure = chosen.get(metric, math.nan)
    return value


def _arrange(by_task: Mapping[str, Mapping[str, Figure]], *, decimals: int | None = None) -> dict[str, Any]:
    each = {task: _round_values(values, decimals) for task, values in by_task.items()}
    first, *others = by_task.values()
    if not others:
        return dict(*each.values())
    means = {
        name: mean([value, *(other[name] for other in others)])
        for name, value in first.items()
        if all(name in other for other in others)
    }
    return {**_round_values(means, decimals), TASKS: each}


def _round_values(values: Mapping[str, Figure], decimals: int | None) -> dict[str, Figure]:
    return {name: value if decimals is None else round(value, decimals) for name, value in values.items()}
