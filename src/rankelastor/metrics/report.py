"""All metrics of a set of predictions, for one task or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from rankelastor.metrics.metric import Figure
from rankelastor.metrics.table import METRICS

DECIMALS = 6
TASKS = "tasks"
"""The key under which figures of several tasks hold those of each task."""


@dataclass(frozen=True)
class Metrics:
    """Metrics by task and by name; those that are not defined for a task are missing there."""

    by_task: Mapping[str, Mapping[str, Figure]]

    def value(self, name: str) -> Figure:
        """Give one metric in full precision; nan where it is not defined.

        Args:
            name: ``auc``: that of the task, or the mean over several tasks. ``like.auc``: that of the task ``like``,
                where there are several.
        """
        return read_figure(_arranged(self.by_task), name)

    def as_dict(self) -> dict[str, Any]:
        """Give the metrics by name to six decimals; those that are not defined are left out.

        With several tasks each figure is the mean over the tasks, left out unless all tasks have it, and ``tasks``
        holds the figures of each.

        Example:
            >>> Metrics({"click": {"auc": 0.75}}).as_dict()
            {'auc': 0.75}
            >>> Metrics({"click": {"auc": 0.75}, "like": {"auc": 0.5}}).as_dict()
            {'auc': 0.625, 'tasks': {'click': {'auc': 0.75}, 'like': {'auc': 0.5}}}
        """
        return _arranged(self.by_task, decimals=DECIMALS)


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
        tasks: the names of the columns.
        group: the key of grouped metrics (a user, say), or None.
        weight: how much each example counts, or None.
        names: of the metrics wanted; None: all of the table.

    Example:
        >>> label, probability = np.array([[0], [1]]), np.array([[0.25], [0.75]])
        >>> evaluate_predictions(label, probability, tasks=["click"]).as_dict()["auc"]
        1.0
    """
    assert label.shape[1] == len(tasks), "a column is a task"
    by_task = {}
    for task, of_task, scores in zip(tasks, label.T, probability.T, strict=True):
        columns = np.ascontiguousarray(of_task), np.ascontiguousarray(scores)
        values = {
            name: METRICS[name](*columns, weight=weight, group=group) for name in (METRICS if names is None else names)
        }
        by_task[task] = {name: value for name, value in values.items() if not math.isnan(value)}
    return Metrics(by_task)


def read_figure(figures: Mapping[str, Any], name: str) -> Figure:
    """Read ``auc``, or ``like.auc`` of the task ``like``, from what ``Metrics.as_dict`` gives; nan where it is missing.

    Example:
        >>> read_figure({"auc": 0.6, "tasks": {"click": {"auc": 0.7}, "like": {"auc": 0.5}}}, "like.auc")
        0.5
    """
    task, _, metric = name.rpartition(".")
    chosen = figures.get(TASKS, {}).get(task, {}) if task else figures
    value: Figure = chosen.get(metric, math.nan)
    return value


def _arranged(by_task: Mapping[str, Mapping[str, Figure]], *, decimals: int | None = None) -> dict[str, Any]:
    each = {task: _rounded(values, decimals) for task, values in by_task.items()}
    first, *others = by_task.values()
    if not others:
        return dict(*each.values())
    means = {
        name: mean([value, *(other[name] for other in others)])
        for name, value in first.items()
        if all(name in other for other in others)
    }
    return {**_rounded(means, decimals), TASKS: each}


def _rounded(values: Mapping[str, Figure], decimals: int | None) -> dict[str, Figure]:
    return {name: value if decimals is None else round(value, decimals) for name, value in values.items()}
