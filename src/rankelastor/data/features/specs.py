"""Fitted features, one class a kind, as they stand in ``schema.json``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rankelastor.config.base import Settings
from rankelastor.config.fields import BlankIds, CalendarPart, NumericTransform, TimeFormat
from rankelastor.data.features.transform import NumberStatistics
from rankelastor.schema import CategoricalFeature, Feature, NumericFeature, PretrainedVectors, SequenceFeature


class NumericSpec(Settings):
    """A fitted numeric feature. ``blank`` is the number a blank stands for; None refuses blanks."""

    kind: Literal["numeric"] = "numeric"
    name: str
    column: str
    transform: NumericTransform
    blank: float | None
    statistics: NumberStatistics


class PretrainedSpec(Settings):
    """Vectors of a categorical feature: the file in the folder ``vectors``, float32 (num_ids, dim) aligned with ids.

    ``num_without_vector`` known values have none: their rows are zero.
    """

    file: str
    dim: int
    trained: bool
    num_without_vector: int


class CategoricalSpec(Settings):
    """A fitted categorical feature. ``vocabulary`` is the file in the folder ``vocabulary``.

    ``shares`` names the feature whose vocabulary and rows it uses.
    """

    kind: Literal["categorical"] = "categorical"
    name: str
    column: str
    min_count: int
    blank: BlankIds
    num_ids: int
    vocabulary: str
    shares: str | None = None
    pretrained: PretrainedSpec | None = None


class SequenceSpec(Settings):
    """A fitted sequence feature. ``vocabulary`` is its own file, or that of the feature it ``shares``."""

    kind: Literal["sequence"] = "sequence"
    name: str
    column: str
    separator: str | None
    max_length: int
    min_count: int
    num_ids: int
    vocabulary: str
    shares: str | None = None

    @property
    def blank(self) -> BlankIds:
        """A blank element is padding."""
        return "padding"


class CalendarSpec(Settings):
    """A fitted calendar part of a timestamp column."""

    kind: Literal["calendar"] = "calendar"
    name: str
    column: str
    part: CalendarPart
    format: TimeFormat
    num_ids: int
    vocabulary: str

    @property
    def blank(self) -> BlankIds:
        """A blank timestamp is a value of its own."""
        return "value"


class HashedSpec(Settings):
    """A hashed categorical feature: nothing is fitted."""

    kind: Literal["hashed"] = "hashed"
    name: str
    column: str
    num_buckets: int
    blank: BlankIds

    @property
    def num_ids(self) -> int:
        """Padding, the buckets, out of vocabulary."""
        return self.num_buckets + 2


class QuantileSpec(Settings):
    """A fitted feature of buckets; a bucket starts at each of the ``edges``, the first one below them all."""

    kind: Literal["quantile"] = "quantile"
    name: str
    column: str
    edges: tuple[float, ...]
    blank: BlankIds
    num_ids: int


IdSpec = CategoricalSpec | CalendarSpec | HashedSpec | QuantileSpec
VocabularySpec = CategoricalSpec | CalendarSpec | SequenceSpec
FeatureSpec = Annotated[
    NumericSpec | CategoricalSpec | SequenceSpec | CalendarSpec | HashedSpec | QuantileSpec, Field(discriminator="kind")
]


def feature_of(spec: FeatureSpec) -> Feature:
    """A fitted feature as models see it."""
    match spec:
        case NumericSpec():
            return NumericFeature(spec.name)
        case SequenceSpec():
            return SequenceFeature(spec.name, spec.num_ids, spec.max_length, spec.shares)
        case CategoricalSpec(pretrained=PretrainedSpec(dim=dim, trained=trained)):
            return CategoricalFeature(spec.name, spec.num_ids, pretrained=PretrainedVectors(dim, trained))
        case CategoricalSpec():
            return CategoricalFeature(spec.name, spec.num_ids, spec.shares)
        case _:
            return CategoricalFeature(spec.name, spec.num_ids)
