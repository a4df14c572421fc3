"""What is checked before a training begins: settings against data."""

from __future__ import annotations

import logging

from rankelastor.config.training import TrainingSettings
from rankelastor.data.prepared import PreparedDataset
from rankelastor.metrics.monitor import check_monitor

logger = logging.getLogger(__name__)


def check_training(settings: TrainingSettings, dataset: PreparedDataset) -> None:
    """Check that the data give the monitored metric; warn where an epoch is one step.

    Raises:
        SettingsError: the data do not give the monitor: no such task, or no group.
    """
    has_group = dataset.split("valid").has_group
    check_monitor(settings.stopping.monitor, tasks=dataset.schema.tasks, has_group=has_group)
    num_rows, batch_size = dataset.manifest.splits["train"].num_rows, settings.batch_size
    if batch_size > num_rows:
        logger.warning(
            "training.batch_size should be smaller than the data, but %s was given for %s rows: "
            "an epoch is 1 step; try training.batch_size=%s",
            f"{batch_size:,}",
            f"{num_rows:,}",
            max(1, num_rows // 10),
        )
