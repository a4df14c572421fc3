"""The metrics of evaluated runs, as tables and as JSON: of one run with unseen values, or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from rankelastor.cli.ensemble_view import MEAN, mean_of_members, members_table
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.cli.tables import format_metric, metrics_view, unseen_view
from rankelastor.metrics.table import METRICS

if TYPE_CHECKING:
    from rankelastor.evaluation.by_value import ValueMetrics
    from rankelastor.evaluation.evaluate import EvaluatedSplit
    from rankelastor.metrics.intervals import Interval

_MOST_VALUES = 20
"""Number of values that a table shows."""


def evaluation_view(evaluated: Mapping[Path, EvaluatedSplit], *, split: str) -> Group:
    """Show the metrics: with intervals and unseen values if there is one run, else one column per run."""
    if len(evaluated) == 1:
        found = next(iter(evaluated.values()))
        intervals = intervals_table(found.intervals)
        by_value = (Text(), by_value_table(found.by_value)) if found.by_value else ()
        metrics = metrics_view({split: found.metrics.as_dict()})
        by_member = {name: each.as_dict() for name, each in found.members.items()}
        members = (Text(), members_table(by_member, found.metrics.as_dict(), split)) if by_member else ()
        return Group(metrics, *members, Text(), intervals, unseen_view(found.unseen.as_dict()), *by_value)
    return Group(metrics_view({str(run): found.metrics.as_dict() for run, found in evaluated.items()}))


def intervals_table(intervals: Mapping[str, Mapping[str, Interval]]) -> FittedTable:
    """Show the intervals by task and metric, each with the name of its method."""
    has_tasks = len(intervals) > 1
    headers = [*(["task"] if has_tasks else []), "metric"]
    table = FittedTable(*headers, "95 % from", "to", "by", left=len(headers))
    for task, by_name in intervals.items():
        for name, interval in by_name.items():
            ends = (format_metric(end) for end in (interval.low, interval.high))
            table.add_row(*([Text(task)] if has_tasks else []), METRICS[name].title, *ends, interval.method)
    return table


def by_value_table(found: Sequence[ValueMetrics]) -> FittedTable:
    """Show the metrics for each value of a field, as many as fit a page."""
    table = FittedTable("value", "rows", "label rate", "mean p", "AUC", "gAUC", "logloss")
    for each in found[:_MOST_VALUES]:
        figures = each.metrics.as_dict()
        rates = (f"{rate:.4f}" for rate in (each.label_rate, each.mean_probability))
        shown = (format_metric(figures.get(name)) for name in ("auc", "gauc", "logloss"))
        table.add_row(Text(each.value), format_metric(figures.get("num_examples")), *rates, *shown)
    if len(found) > _MOST_VALUES:
        table.add_row(Text(f"and {len(found) - _MOST_VALUES} more: see --json"), *[""] * 6)
    return table


def evaluation_json(evaluated: Mapping[Path, EvaluatedSplit], *, split: str) -> dict[str, Any]:
    """Collect metrics and unseen values: those of one run at the top, those of several by the path of the run."""
    values = {
        str(run): {
            split: found.metrics.as_dict(),
            "unseen": {split: found.unseen.as_dict()},
            "alarms": [alarm.as_dict() for alarm in found.alarms],
            "intervals": {split: _intervals_json(found.intervals)},
            **({"members": _members_json(found, split)} if found.members else {}),
            **({"by_value": {split: [each.as_dict() for each in found.by_value]}} if found.by_value else {}),
        }
        for run, found in evaluated.items()
    }
    return next(iter(values.values())) if len(values) == 1 else values


def _members_json(found: EvaluatedSplit, split: str) -> dict[str, Any]:
    """Collect the metrics of each member of an ensemble, and their mean."""
    by_member = {name: each.as_dict() for name, each in found.members.items()}
    return {split: {**by_member, MEAN: mean_of_members(list(by_member.values()))}}


def _intervals_json(intervals: Mapping[str, Mapping[str, Interval]]) -> dict[str, Any]:
    """Collect the intervals by metric, of several tasks by task."""
    by_task = {task: {name: each.as_dict() for name, each in found.items()} for task, found in intervals.items()}
    return next(iter(by_task.values()), {}) if len(by_task) <= 1 else by_task
