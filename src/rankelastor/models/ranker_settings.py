"""The base class of the settings of rankers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import Field, PositiveInt
from torch import nn

from rankelastor.config.base import Settings
from rankelastor.schema import FeatureSchema


class RankerSettings(Settings, ABC):
    """Settings of a ranker; ``kind`` names the model.

    The settings class of a model adds its own settings, declares ``kind: Literal["name"]``, and is listed in
    models/catalogue.py.
    """

    kind: str
    embedding_dim: PositiveInt = Field(10, description="Width of the embedding of each field.")

    @abstractmethod
    def network(self, schema: FeatureSchema) -> nn.Module:
        """Make the network for these features and tasks, with initial values: ``Embedded`` -> (batch, task).

        A network may have two properties. ``points`` maps names to the modules that return token matrices
        (batch, token, dim), for the spectrum; ``stages`` maps names to lists of modules, for the profile.

        Raises:
            SizesDoNotFit: sizes of the settings do not fit each other or the data.
        """
