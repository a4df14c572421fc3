"""The base class of the settings of rankers."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import Field, PositiveFloat, PositiveInt
from torch import nn

from rankelastor.config.base import Settings
from rankelastor.models.numbers import NumberSettings
from rankelastor.models.sequences import SequenceSettings
from rankelastor.models.shallow_tower import ShallowTowerSettings
from rankelastor.models.tasks import TaskSettings
from rankelastor.nn.init import EMBEDDING_STD
from rankelastor.schema import FeatureSchema


class RankerSettings(Settings, ABC):
    """Settings of a ranker; ``kind`` names the model.

    The settings class of a model adds its own settings, declares ``kind: Literal["name"]``, and is listed in
    models/catalogue.py.
    """

    kind: str
    embedding_dim: PositiveInt = Field(10, description="Width of the embedding of each field.")
    embedding_std: PositiveFloat = Field(
        EMBEDDING_STD,
        description="Standard deviation of the initial embedding rows; vectors of numeric fields begin far larger.",
    )
    numbers: NumberSettings | None = Field(
        None,
        description="How the numbers of `numeric` fields are embedded; none: each number times one learned vector, as "
        "published. `periodic` wants `transform: standardise`, or `log` for skewed numbers.",
    )
    sequence: SequenceSettings | None = Field(
        None,
        description="How sequences are read for a target before the network; none: a sequence is the mean of its "
        "elements.",
    )
    shallow_tower: ShallowTowerSettings | None = Field(
        None,
        description="A small tower of its own for fields such as a position, whose logit is added; none: these are "
        "fields like others.",
    )
    value_rates: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Whether the logits begin at those of a logistic regression on the label rates and counts of the "
        "values of each field, which is fitted to train before the first step; the network learns what it leaves.",
    )
    tasks: TaskSettings | None = Field(
        None,
        description="How the tasks of several labels share the model; none: one network with a logit for each task.",
    )

    def embedding_width(self, schema: FeatureSchema) -> int:  # noqa: ARG002 - overridden by models that need it
        """Width of the rows of the embedding table: ``embedding_dim``, unless the model needs more columns."""
        return self.embedding_dim

    @abstractmethod
    def network(self, schema: FeatureSchema) -> nn.Module:
        """Make the network for these features and tasks, with initial values: ``Embedded`` -> (batch, task).

        While training, a network may also return (batch, task, 1 + part): the logits of the ranker, followed by those
        of parts of it, which the objective teaches to agree with the whole (objectives/binary_cross_entropy.py), or,
        where the network's ``parts_learn_from`` is "labels", with the labels, by its ``part_weight``.

        A network may have two properties. ``points`` maps names to the modules that return token matrices
        (batch, token, dim), for the spectrum; ``stages`` maps names to lists of modules, for the profile.

        Raises:
            SizesDoNotFit: sizes of the settings do not fit each other or the data.
        """
