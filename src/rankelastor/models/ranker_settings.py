"""The settings that every ranker has."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import PositiveInt
from torch import nn

from rankelastor.config.base import Settings
from rankelastor.schema import FeatureSchema


class RankerSettings(Settings, ABC):
    """Settings of a ranker; ``kind`` names the model, ``embedding_dim`` is the width of a field's embedding.

    A model's settings class adds its own, says ``kind: Literal["name"]``, and stands in models/catalogue.py.
    """

    kind: str
    embedding_dim: PositiveInt = 10

    @abstractmethod
    def network(self, schema: FeatureSchema) -> nn.Module:
        """Make the network for these features and tasks, with fresh initial values: ``Embedded`` -> (batch, task).

        A network may have two properties. ``points`` names the modules that put out token matrices
        (batch, token, dim), for the spectrum; ``stages`` names lists of modules, for the profile.

        Raises:
            SizesDoNotFit: sizes of the settings do not go together, or not with the data.
        """
