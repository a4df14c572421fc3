"""Sketch the features of data that have not been read: their names and kinds, for checks of a model's sizes."""

from __future__ import annotations

from collections.abc import Iterator

from rankelastor.data.kinds.field import ColumnSettings
from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.data.settings import DataSettings
from rankelastor.schema import CategoricalFeature, Feature, FeatureSchema, NumericFeature, SequenceFeature

_NUMBERS = {"numeric", "piecewise_linear"}
_FEW_IDS = 3
"""Number of ids of a vocabulary that is not known: padding, one value, out of vocabulary."""


def sketched_schema(settings: DataSettings) -> FeatureSchema | None:
    """Make a schema of the declared fields, with vocabularies of one value; None if a field is named by a pattern.

    Shapes of a network depend on the number of fields, on their names and on the lengths of sequences, not on
    vocabularies, so that a network for this schema fits the data exactly if it fits the sketch.

    Example:
        >>> fields = [{"kind": "categorical", "column": ["site", "user"]}, {"kind": "numeric", "column": "price"}]
        >>> files = {"train": "a.csv", "valid": "b.csv"}
        >>> values = {"prepared": "p", "files": files, "label": "click", "fields": fields}
        >>> sketched_schema(DataSettings.model_validate(values)).names
        ('site', 'user', 'price')
    """
    columns = [column for field in settings.fields if not field.names_group for column in field.patterns]
    if any(mark in column for column in columns for mark in "*?"):
        return None
    features = tuple(feature for field in settings.fields if not field.names_group for feature in _features(field))
    return FeatureSchema(features, tasks=tuple(target.task for target in settings.targets))


def _features(field: ColumnSettings) -> Iterator[Feature]:
    for column in field.patterns:
        for place, planned in enumerate(field.plan(column)):
            if isinstance(field, SequenceField) and not place:
                yield SequenceFeature(planned.name, _FEW_IDS, planned.width, shares=field.shares)
            elif planned.kind in _NUMBERS:
                yield NumericFeature(planned.name)
            else:
                yield CategoricalFeature(planned.name, _FEW_IDS)
