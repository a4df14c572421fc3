"""Settings of the learning-rate schedule and of early stopping."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from rankelastor.config.base import Settings


class StoppingSettings(Settings):
    """When to lower the learning rate and when to stop, by the evaluation of the valid split after each epoch.

    ``monitor``: a metric that has a better direction; with several tasks also ``TASK.METRIC``; or a weighted sum of
    metrics that is to be large, as in ``{auc: 1, logloss: -1}``. Each evaluation that does not improve the monitor by
    more than ``min_delta`` multiplies the learning rate by ``rate_drop`` (not below ``min_learning_rate``);
    ``patience`` such evaluations in succession end the run.
    """

    monitor: str | Annotated[dict[str, float], Field(min_length=1)] = "auc"
    min_delta: NonNegativeFloat = 1e-6
    rate_drop: Annotated[float, Field(gt=0, le=1)] = 0.1
    min_learning_rate: NonNegativeFloat = 1e-6
    patience: PositiveInt = 2
