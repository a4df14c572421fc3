"""The metric by which training keeps the best weights and stops: ``training.monitor``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rankelastor.errors import SettingsError
from rankelastor.metrics.metric import Metric
from rankelastor.metrics.table import METRICS

Monitor = str | Mapping[str, float]
"""One metric, or the weights of a sum of metrics that is to be large."""


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


def monitor_weights(monitor: Monitor) -> dict[str, float]:
    """Compute the weights of the sum that is to be large: of one metric, 1 or -1 by its better direction.

    Example:
        >>> monitor_weights("logloss"), monitor_weights({"auc": 1, "logloss": -1})
        ({'logloss': -1.0}, {'auc': 1, 'logloss': -1})
    """
    if isinstance(monitor, str):
        return {monitor: 1.0 if monitored_metric(monitor).higher_is_better else -1.0}
    return dict(monitor)


def check_monitor(monitor: Monitor, *, tasks: Sequence[str], has_group: bool) -> None:
    """Check that the monitor is defined for data with these tasks, and with or without groups.

    Raises:
        SettingsError: it is not, or a weight is 0 or pulls its metric in the worse direction.
    """
    for name in monitor_weights(monitor) if isinstance(monitor, Mapping) else [monitor]:
        _check_metric(name, tasks=tasks, has_group=has_group)
    if isinstance(monitor, Mapping):
        check_directions(monitor)


def check_directions(weights: Mapping[str, float]) -> None:
    """Check that each weight of a sum has the sign of its metric's better direction.

    Raises:
        SettingsError: one has not.
    """
    for name, weight in weights.items():
        if weight * monitor_weights(name)[name] <= 0:
            better = "above" if monitored_metric(name).higher_is_better else "below"
            raise SettingsError(
                f"training.monitor.{name} must be {better} 0, since the sum is to be large, but {weight} was given"
            )


def _check_metric(monitor: str, *, tasks: Sequence[str], has_group: bool) -> None:
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
