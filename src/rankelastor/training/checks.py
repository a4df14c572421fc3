"""What is checked before a training begins: settings against data."""

from __future__ import annotations

import logging

from rankelastor.config.training import TrainingSettings
from rankelastor.data.prepared import PreparedDataset
from rankelastor.errors import SettingsError

logger = logging.getLogger(__name__)


def check_training(settings: TrainingSettings, dataset: PreparedDataset) -> None:
    """Check that the data give the monitored metric; warn where an epoch is one step.

    Raises:
        SettingsError: gauc is monitored and the data have no group.
    """
    if settings.stopping.monitor == "gauc" and not dataset.split("valid").has_group:
        raise SettingsError(
            "training.monitor must be a metric that the data give, but gauc was given and data.fields has no group; "
            "add {kind: group, column: ...}, or try training.monitor=auc"
        )
    num_rows, batch_size = dataset.manifest.splits["train"].num_rows, settings.batch_size
    if batch_size > num_rows:
        logger.warning(
            "training.batch_size should be smaller than the data, but %s was given for %s rows: "
            "an epoch is 1 step; try training.batch_size=%s",
            f"{batch_size:,}",
            f"{num_rows:,}",
            max(1, num_rows // 10),
        )
