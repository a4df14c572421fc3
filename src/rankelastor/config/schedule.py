"""Settings of the learning-rate schedule, by ``kind``."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from rankelastor.config.base import Settings, one_of


class _WarmingUp(Settings):
    warmup_epochs: NonNegativeFloat = Field(
        0.0,
        description="Epochs, also a part of one, over which the learning rate rises in equal steps to its full value.",
    )


class PlateauSchedule(_WarmingUp):
    """The learning rate is kept, and falls by `training.stopping.rate_drop` when an evaluation is no better."""

    kind: Literal["plateau"] = "plateau"


class CosineSchedule(_WarmingUp):
    """The learning rate falls along half a cosine, whatever evaluations say; `training.stopping` still ends the run."""

    kind: Literal["cosine"]
    epochs: PositiveInt | None = Field(
        None, description="Epochs after which the learning rate has fallen; null is `training.epochs`."
    )
    final_share: float = Field(
        0.01, ge=0, le=1, description="Share of the learning rate that is left at the end, and after it."
    )


SCHEDULES = (PlateauSchedule, CosineSchedule)
ScheduleSettings = one_of(SCHEDULES)
