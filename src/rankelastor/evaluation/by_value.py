"""Metrics of a split for each value of a field, worst first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.kinds.spec import IdMeaning
from rankelastor.data.loading.loader import BatchLoader
from rankelastor.errors import SettingsError
from rankelastor.evaluation.scoring import Predictions
from rankelastor.metrics.report import Metrics
from rankelastor.schema import PADDING_ID

FEWEST_ROWS = 50
"""Values of fewer rows are put together, since their metrics are chance."""
_BLANK, _UNSEEN = "(blank)", "(unseen in training)"


@dataclass(frozen=True)
class ValueMetrics:
    """Metrics of the rows that hold one value of a field.

    Attributes:
        value: the value; that of rare ones together says how many they are.
        label_rate: mean label, over tasks if there are several.
        mean_probability: mean probability, likewise.
        metrics: all metrics.
    """

    value: str
    label_rate: float
    mean_probability: float
    metrics: Metrics

    def as_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        rates = {"label_rate": round(self.label_rate, 6), "mean_probability": round(self.mean_probability, 6)}
        return {"value": self.value, **rates, **self.metrics.as_dict()}


def metrics_by_value(
    field: str, predictions: Predictions, loader: BatchLoader, encoder: RowEncoder
) -> tuple[ValueMetrics, ...]:
    """Compute the metrics for each value of a field, the lowest AUC first, then those without one by logloss.

    Args:
        field: name of a field with one id a row.
        predictions: predictions of all rows of the loader, in its order.
        loader: the rows.
        encoder: names the values.

    Raises:
        SettingsError: there is no such field.
    """
    names = [feature.name for feature in encoder.schema.categorical]
    if field not in names:
        raise SettingsError(
            f"metrics by value need a field with one value a row that is not a number, but {field!r} was given; try "
            f"one of {', '.join(names)}"
        )
    column = names.index(field)
    ids = np.concatenate([batch.categorical[:, column].numpy() for batch in loader.epoch()])
    found, counts = np.unique(ids, return_counts=True)
    often = found[counts >= FEWEST_ROWS]
    name_of = _Names(field, encoder)
    each = [_measured(name_of(int(value)), predictions.where(ids == value)) for value in often]
    rare = found[counts < FEWEST_ROWS]
    if len(rare):
        title = f"({len(rare)} values of under {FEWEST_ROWS} rows)"
        each.append(_measured(title, predictions.where(np.isin(ids, rare))))
    return tuple(sorted(each, key=_worst_first))


def _measured(value: str, predictions: Predictions) -> ValueMetrics:
    weight = predictions.metric_weight
    share = _usable(weight)
    label_rate, mean_probability = (
        float(np.average(each.mean(axis=1), weights=share)) for each in (predictions.label, predictions.probability)
    )
    return ValueMetrics(value, label_rate, mean_probability, predictions.metrics())


def _usable(weight: ndarray | None) -> ndarray | None:
    return None if weight is None or not weight.any() else weight


def _worst_first(found: ValueMetrics) -> tuple[float, float]:
    area, loss = found.metrics.value("auc"), found.metrics.value("logloss")
    return (math.inf if math.isnan(area) else area, 0.0 if math.isnan(loss) else -loss)


class _Names:
    """Names of the ids of a field."""

    def __init__(self, field: str, encoder: RowEncoder) -> None:
        spec = next(spec for spec in encoder.manifest.features if spec.name == field)
        meaning = spec.meaning(encoder.vocabularies.get(field))
        assert isinstance(meaning, IdMeaning), "a categorical feature has ids"
        self._meaning = meaning
        self._vocabulary = encoder.vocabularies.get(field)

    def __call__(self, value: int) -> str:
        if self._meaning.blank_ids and value in self._meaning.blank_ids:
            return _BLANK
        if value == PADDING_ID:
            return _BLANK
        if self._vocabulary is not None and value == self._vocabulary.out_of_vocabulary_id:
            return _UNSEEN
        return self._meaning.text_of(value)
