"""A recipe: one complete experiment."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.settings import DataSettings
from rankelastor.errors import SettingsError
from rankelastor.metrics.monitor import check_directions, monitor_names
from rankelastor.models.catalogue import ModelSettings


class Recipe(Settings):
    """Data, model, training and spectrum samples of one experiment.

    ``name``: the default run folder is ``runs/<name>``.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    data: DataSettings
    model: ModelSettings
    training: TrainingSettings = TrainingSettings()
    spectrum: SpectrumSettings = SpectrumSettings()

    @model_validator(mode="after")
    def _check_monitor(self) -> Self:
        monitor = self.training.stopping.monitor
        names = monitor_names([target.task for target in self.data.targets])
        for name in [monitor] if isinstance(monitor, str) else monitor:
            if name not in names:
                raise ValueError(f"training.monitor must be one of {', '.join(names)}, but {name!r} was given")
        if not isinstance(monitor, str):
            try:
                check_directions(monitor)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return self
