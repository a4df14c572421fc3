"""Settings of when the learning rate falls and training stops."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from rankelastor.config.base import Settings


class StoppingSettings(Settings):
    """What follows from the evaluation of the valid split after each epoch.

    ``monitor``: a metric with a better direction, or ``TASK.METRIC`` with several tasks. A monitor that does not
    improve by more than ``min_delta`` multiplies the learning rate by ``rate_drop`` (not below ``min_learning_rate``);
    ``patience`` such evaluations in a row end the run.
    """

    monitor: str = "auc"
    min_delta: NonNegativeFloat = 1e-6
    rate_drop: Annotated[float, Field(gt=0, le=1)] = 0.1
    min_learning_rate: NonNegativeFloat = 1e-6
    patience: PositiveInt = 2
