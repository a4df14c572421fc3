"""Write down fitted features as they go into the manifest."""

from __future__ import annotations

from collections.abc import Mapping

from rankelastor.config.fields import CalendarField, HashedField, NumericField, QuantileField, SequenceField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.fitting import Fit
from rankelastor.data.features.quantiles import num_bucket_ids
from rankelastor.data.features.specs import (
    CalendarSpec,
    CategoricalSpec,
    FeatureSpec,
    HashedSpec,
    NumericSpec,
    PretrainedSpec,
    QuantileSpec,
    SequenceSpec,
)


def feature_specs(
    plan: FieldPlan, fit: Fit, vocabulary_files: Mapping[str, str], pretrained: Mapping[str, PretrainedSpec]
) -> tuple[FeatureSpec, ...]:
    """One spec a feature, in declared order. Vocabulary files and vectors are by feature."""
    return tuple(_spec(feature, fit, vocabulary_files, pretrained) for feature in plan.features)


def _spec(
    feature: PlannedFeature, fit: Fit, files: Mapping[str, str], pretrained: Mapping[str, PretrainedSpec]
) -> FeatureSpec:
    name, column, field = feature.name, feature.column, feature.settings
    match field:
        case NumericField():
            return NumericSpec(
                name=name,
                column=column,
                transform=field.transform,
                blank=field.blank,
                statistics=fit.statistics[name],
            )
        case HashedField():
            return HashedSpec(name=name, column=column, num_buckets=field.num_buckets, blank=field.blank)
        case QuantileField():
            edges = fit.edges[name]
            num_ids = num_bucket_ids(edges, field.blank)
            return QuantileSpec(name=name, column=column, edges=edges, blank=field.blank, num_ids=num_ids)
    assert feature.vocabulary is not None
    num_ids, vocabulary = fit.vocabularies[feature.vocabulary].num_ids, files[feature.vocabulary]
    match field:
        case CalendarField():
            assert feature.part is not None
            return CalendarSpec(
                name=name,
                column=column,
                part=feature.part,
                format=field.format,
                num_ids=num_ids,
                vocabulary=vocabulary,
            )
        case SequenceField():
            return SequenceSpec(
                name=name,
                column=column,
                separator=field.separator,
                max_length=field.max_length,
                min_count=field.min_count,
                num_ids=num_ids,
                vocabulary=vocabulary,
                shares=field.shares,
            )
    return CategoricalSpec(
        name=name,
        column=column,
        min_count=field.min_count,
        blank=field.blank,
        num_ids=num_ids,
        vocabulary=vocabulary,
        shares=field.shares,
        pretrained=pretrained.get(name),
    )
