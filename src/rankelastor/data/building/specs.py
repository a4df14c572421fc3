"""Write down fitted features as they go into the manifest."""

from __future__ import annotations

from collections.abc import Mapping

from rankelastor.config.fields import CalendarField, NumericField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.fitting import Fit
from rankelastor.data.manifest import CalendarSpec, CategoricalSpec, FeatureSpec, NumericSpec


def feature_specs(plan: FieldPlan, fit: Fit, vocabulary_files: Mapping[str, str]) -> tuple[FeatureSpec, ...]:
    """One spec a feature, in declared order."""
    return tuple(_spec(feature, fit, vocabulary_files) for feature in plan.features)


def _spec(feature: PlannedFeature, fit: Fit, files: Mapping[str, str]) -> FeatureSpec:
    field = feature.settings
    if isinstance(field, NumericField):
        return NumericSpec(
            name=feature.name,
            column=feature.column,
            transform=field.transform,
            blank=field.blank,
            statistics=fit.statistics[feature.name],
        )
    num_ids = fit.vocabularies[feature.name].num_ids
    if isinstance(field, CalendarField):
        assert feature.part is not None
        return CalendarSpec(
            name=feature.name,
            column=feature.column,
            part=feature.part,
            format=field.format,
            num_ids=num_ids,
            vocabulary=files[feature.name],
        )
    return CategoricalSpec(
        name=feature.name,
        column=feature.column,
        min_count=field.min_count,
        blank=field.blank,
        num_ids=num_ids,
        vocabulary=files[feature.name],
    )
