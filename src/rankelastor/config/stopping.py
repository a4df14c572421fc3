"""Settings of the learning-rate schedule and of early stopping."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from rankelastor.config.base import Settings


class StoppingSettings(Settings):
    """When to lower the learning rate and when to stop, by the evaluations of the valid split."""

    monitor: str | Annotated[dict[str, float], Field(min_length=1)] = Field(
        "auc",
        description="Metric of the valid split that chooses the best weights: one that has a better direction, such as "
        "`auc`, `logloss` or `gauc`; with several tasks also `TASK.METRIC`; or a weighted sum of metrics that is to be "
        "large, as in `{auc: 1, logloss: -1}`.",
    )
    min_delta: NonNegativeFloat = Field(
        1e-6, description="An evaluation counts as better if it improves the monitor by more than this."
    )
    rate_drop: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Factor by which an evaluation that is no better multiplies the learning rate; 1 keeps it, and so "
        "does a `training.schedule` other than the plateau.",
    )
    min_learning_rate: NonNegativeFloat = Field(1e-6, description="The learning rate never falls below this.")
    patience: PositiveInt = Field(
        2, description="Number of successive evaluations without improvement after which the run ends."
    )
