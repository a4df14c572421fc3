"""Check the training settings against the data before training begins."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from rankelastor.config.training import TrainingSettings
from rankelastor.data.prepared import PreparedDataset, PreparedSplit
from rankelastor.errors import SettingsError
from rankelastor.metrics.metric import Metric
from rankelastor.metrics.monitor import check_monitor, monitor_weights, monitored_metric
from rankelastor.metrics.report import evaluate_predictions

logger = logging.getLogger(__name__)


def check_training(settings: TrainingSettings, dataset: PreparedDataset) -> None:
    """Check that the monitored metric is defined for the rows of valid; warn if an epoch has only one step.

    Raises:
        SettingsError: the monitor is not defined for the data: they lack its task or a group, no group of valid holds
            both labels, or all its labels are equal.
    """
    valid = dataset.split("valid")
    check_monitor(settings.stopping.monitor, tasks=dataset.schema.tasks, has_group=valid.has_group)
    for name in monitor_weights(settings.stopping.monitor):
        _check_monitor_on_valid(name, valid, dataset.schema.tasks)
    num_rows, batch_size = dataset.manifest.splits["train"].num_rows, settings.batch_size
    if batch_size > num_rows:
        logger.warning(
            "training.batch_size should be smaller than the train split, but %s was given for %s rows: "
            "an epoch is 1 step; try training.batch_size=%s",
            f"{batch_size:,}",
            f"{num_rows:,}",
            max(1, num_rows // 10),
        )


def _check_monitor_on_valid(monitor: str, valid: PreparedSplit, tasks: Sequence[str]) -> None:
    """Compute the monitored metric of equal predictions: where it is not defined, no evaluation defines it."""
    metric = monitored_metric(monitor)
    label = np.concatenate([shard.labels for shard in valid.shards])
    groups = [shard.group for shard in valid.shards if shard.group is not None] if metric.needs_group else []
    weights = [shard.weight for shard in valid.shards if shard.weight is not None]
    metrics = evaluate_predictions(
        label,
        np.full(label.shape, 0.5),
        tasks=tasks,
        group=np.concatenate(groups) if groups else None,
        weight=np.concatenate(weights) if weights else None,
        names=[metric.name],
    )
    if not math.isnan(metrics.value(monitor)):
        return
    task = monitor.rpartition(".")[0]
    name, reason = next(
        (name, reasons[metric.name])
        for name, reasons in metrics.left_out.items()
        if metric.name in reasons and task in {"", name}
    )
    raise SettingsError(
        f"training.monitor must be defined for the valid split, but {monitor} was given and in valid {reason}"
        f"{f' of {name}' if len(tasks) > 1 else ''}; try {_another_monitor(metric)}"
    )


def _another_monitor(metric: Metric) -> str:
    if metric.needs_group:
        return "training.monitor=auc, or a group whose values occur in several rows"
    return "training.monitor=logloss, or another valid split"
