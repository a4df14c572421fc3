"""The metric by which training keeps the best weights and stops: ``training.monitor``."""

from __future__ import annotations

from collections.abc import Sequence

from rankelastor.errors import SettingsError
from rankelastor.metrics.metric import Metric
from rankelastor.metrics.table import METRICS


def monitor_names(tasks: Sequence[str] = ()) -> tuple[str, ...]:
    """List the values of ``training.monitor``: each metric with a better direction.

    With several tasks the name of a metric means its mean over the tasks, and ``TASK.METRIC`` is that of one task.

    Example:
        >>> monitor_names()[:3]
        ('auc', 'logloss', 'gauc')
        >>> {"logloss", "click.logloss", "like.logloss"} <= set(monitor_names(["click", "like"]))
        True
    """
    metrics = tuple(metric.name for metric in METRICS.values() if metric.higher_is_better is not None)
    if len(tasks) <= 1:
        return metrics
    return (*metrics, *(f"{task}.{name}" for task in tasks for name in metrics))


def monitored_metric(monitor: str) -> Metric:
    """Find the metric that ``METRIC`` or ``TASK.METRIC`` names; the task is not checked.

    Raises:
        ValueError: no metric of this name has a better direction.

    Example:
        >>> monitored_metric("like.logloss").higher_is_better
        False
    """
    name = monitor.rpartition(".")[2]
    if name not in monitor_names():
        raise ValueError(f"must be METRIC or TASK.METRIC with a metric of {list(monitor_names())}, but is {monitor!r}")
    return METRICS[name]


def check_monitor(monitor: str, *, tasks: Sequence[str], has_group: bool) -> None:
    """Check that the monitor is defined for data with these tasks, and with or without groups.

    Raises:
        SettingsError: it is not.
    """
    names = monitor_names(tasks)
    if monitor not in names:
        raise SettingsError(
            f"training.monitor must be one of {list(names)}, but {monitor!r} was given; try training.monitor=auc"
        )
    if monitored_metric(monitor).needs_group and not has_group:
        raise SettingsError(
            f"training.monitor must be defined for the data, but {monitor} was given and data.fields has no "
            "group; add {kind: group, column: ...}, or try training.monitor=auc"
        )
