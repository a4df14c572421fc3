"""The setting ``model.shallow_tower``: a position, which only explains clicks of the past, apart from the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field, PositiveInt
from torch import nn

from rankelastor.config.base import Settings
from rankelastor.nn.projection import Projection
from rankelastor.nn.shallow_tower import WithShallowTower
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.schema import FeatureSchema


class ShallowTowerSettings(Settings):
    """A small MLP of some fields, added to the logits of the network, which does not see these fields."""

    features: tuple[str, ...] = Field(
        (), description="Names of the fields of the tower; empty: all that have a `serving_value`."
    )
    hidden_dims: Annotated[
        tuple[PositiveInt, ...], Field(description="Hidden widths of the tower; empty: it is a linear map.")
    ] = ()

    def check(self, schema: FeatureSchema) -> tuple[str, ...]:
        """Find the fields of the tower: each must have a serving value.

        Raises:
            SizesDoNotFit: one has none, none is left for the tower, or none for the network.
        """
        for name in self.features:
            if name not in schema.served:
                raise SizesDoNotFit(
                    f"shallow_tower.features must name fields with a serving_value, but {name!r} was given; add "
                    "serving_value to this field in data.fields"
                )
        features = self.features or schema.served
        if not features:
            raise SizesDoNotFit(
                "shallow_tower needs a field with a serving_value, but data.fields has none; add serving_value to the "
                "field of the position"
            )
        if len(features) == len(schema.features):
            raise SizesDoNotFit("shallow_tower must leave fields to the network, but takes all of them")
        return features


def without_features(schema: FeatureSchema, names: Sequence[str]) -> FeatureSchema:
    """Copy a schema without some of its features.

    Example:
        >>> from rankelastor.schema import NumericFeature
        >>> without_features(FeatureSchema((NumericFeature("age"), NumericFeature("position"))), ["position"]).names
        ('age',)
    """
    return replace(schema, features=tuple(feature for feature in schema.features if feature.name not in names))


def with_tower(
    settings: ShallowTowerSettings,
    schema: FeatureSchema,
    features: Sequence[str],
    network: nn.Module,
    *,
    embedding_dim: int,
) -> WithShallowTower:
    """Put the tower of these features beside a network of the others, with initial values."""
    places = [schema.names.index(name) for name in features]
    tower = Projection(
        in_dim=len(places) * embedding_dim, hidden_dims=settings.hidden_dims, out_dim=len(schema.tasks), norm=False
    )
    return WithShallowTower(network, tower, places=places, num_fields=len(schema.features))
