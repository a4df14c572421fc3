"""A recipe: one complete experiment."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.settings import DataSettings
from rankelastor.metrics.monitor import monitor_names
from rankelastor.models.catalogue import ModelSettings


class Recipe(Settings):
    """Data, model and training of one experiment, and what of the spectrum is sampled meanwhile.

    ``name`` names the run folder ``runs/<name>`` unless another is given.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    data: DataSettings
    model: ModelSettings
    training: TrainingSettings = TrainingSettings()
    spectrum: SpectrumSettings = SpectrumSettings()

    @model_validator(mode="after")
    def _monitor_is_a_metric(self) -> Self:
        monitor = self.training.stopping.monitor
        names = monitor_names([target.task for target in self.data.targets])
        if monitor not in names:
            raise ValueError(f"training.monitor must be one of {', '.join(names)}, but {monitor!r} was given")
        return self
