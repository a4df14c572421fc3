"""A recipe: one complete experiment."""

from typing import Annotated

from pydantic import Field

from rankelastor.config.base import Settings
from rankelastor.config.spectrum import SpectrumSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.data.settings import DataSettings
from rankelastor.models.catalogue import ModelSettings


class Recipe(Settings):
    """Data, model, training of one experiment, and what is watched meanwhile.

    ``name`` names the run folder ``runs/<name>`` unless another is given.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    data: DataSettings
    model: ModelSettings
    training: TrainingSettings = TrainingSettings()
    spectrum: SpectrumSettings = SpectrumSettings()
