"""A recipe: one complete experiment."""

from typing import Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.settings import DataSettings
from rankelastor.metrics.monitor import monitor_names
from rankelastor.models.catalogue import ModelSettings


class Recipe(Settings):
    """Data, model, training and spectrum samples of one experiment."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Name of the experiment: letters, digits, `.`, `_` and `-`. The default run folder is `runs/NAME`.",
    )
    data: DataSettings = Field(description="Raw files, their format, and the fields that become features.")
    model: ModelSettings = Field(description="The ranker.")
    training: TrainingSettings = Field(
        TrainingSettings(), description="Optimiser, stopping, device, and the order of the rows."
    )
    spectrum: SpectrumSettings = Field(
        SpectrumSettings(), description="Samples of the rank of representations during training."
    )

    @model_validator(mode="after")
    def _check_monitor(self) -> Self:
        monitor = self.training.stopping.monitor
        names = monitor_names([target.task for target in self.data.targets])
        if monitor not in names:
            raise ValueError(f"training.monitor must be one of {', '.join(names)}, but {monitor!r} was given")
        return self
