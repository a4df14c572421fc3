"""A logistic regression on the label rates and counts of values: a weight for each value, and the logits of train.

An embedding must learn from a few rows each what the label rate of a value says at once, if it is held back by the
number of its rows. Each id feature has four inputs: the log odds of its value above those of all rows, with 2, 20 and
200 rows of the mean label rate added, and the logarithm of 1 + its number of rows. The regression learns how far to
trust each. Of a row of train the inputs leave out the rows of its own tenth, itself among them: they are then what
they are for new rows, and a value that no other row has counts as unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from rankelastor.baseline.design import Columns
from rankelastor.baseline.logistic_regression import LogisticRegression
from rankelastor.data.prepared import PreparedDataset
from rankelastor.logistic import logit
from rankelastor.schema import FeatureSchema

_FOLDS = 10
_SEED = 0x7261746573
_PRIOR_ROWS = (2.0, 20.0, 200.0)
_NUM_INPUTS = len(_PRIOR_ROWS) + 1
_PENALTY = 30.0
"""Of the squares of the weights of standardised inputs; 1, 30 and 150 were compared (docs/results.md)."""
_MOST_ROWS = 40_000
"""Rows that the regression is fitted to; rates and counts are those of all rows."""
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class ValueWeights:
    """A weight for each value and task, and the logits that training begins with.

    Attributes:
        weights: of each id of each id feature, as ``nn.embedding.value_rates.ValueRates`` has them.
        bias: of each task.
        offset: the logits of the rows of train, computed without the rows of their tenths.
    """

    weights: Float32[ndarray, "value task"]
    bias: Float32[ndarray, " task"]
    offset: Float32[ndarray, "row task"]


def fit_value_weights(dataset: PreparedDataset, *, shift: float = 0.0) -> ValueWeights:
    """Fit the weights of all values to the train split.

    They depend on the rows and their order alone; nothing is drawn from a generator of the training.

    Args:
        dataset: the prepared data.
        shift: what is added to every logit, since training may see other odds than the rows have.
    """
    schema = dataset.schema
    folds = _folds(dataset.split("train").num_rows)
    tallies, sample = _Tallies.of(dataset, folds), _Sample.of(dataset, folds)
    by_task = [_weights_of(schema, tallies, sample, task, shift) for task in range(len(schema.tasks))]
    offset = np.empty((len(folds), len(by_task)), dtype=np.float32)
    start = 0
    for columns in _pieces(dataset):
        rows = slice(start, start + len(columns.ids))
        for task, fitted in enumerate(by_task):
            found = fitted.without_fold[folds[rows][:, None], columns.ids]
            offset[rows, task] = (found * columns.mass).sum(axis=1) + fitted.bias
        start = rows.stop
    return ValueWeights(
        np.stack([fitted.of_all for fitted in by_task], axis=1).astype(np.float32),
        np.array([fitted.bias for fitted in by_task], dtype=np.float32),
        offset,
    )


@dataclass(frozen=True)
class _Tallies:
    """Rows and clicks of each value by fold: (fold, value) and (fold, value, task), as sums of weights."""

    rows: Float64[ndarray, "fold value"]
    clicks: Float64[ndarray, "fold value task"]
    rates: Float64[ndarray, " task"]

    @classmethod
    def of(cls, dataset: PreparedDataset, folds: Int64[ndarray, " row"]) -> _Tallies:
        schema = dataset.schema
        num_values, num_tasks = sum(feature.num_ids for feature in schema.with_ids), len(schema.tasks)
        rows = np.zeros(_FOLDS * num_values)
        clicks = np.zeros((num_tasks, _FOLDS * num_values))
        clicked, total, start = np.zeros(num_tasks), 0.0, 0
        for columns in _pieces(dataset):
            fold = folds[start : start + len(columns.ids)]
            start += len(columns.ids)
            cells = (fold[:, None] * num_values + columns.ids).ravel()
            mass = columns.mass * columns.weight[:, None]
            rows += np.bincount(cells, mass.ravel(), minlength=len(rows))
            for task, label in enumerate(columns.labels.T > 0):
                clicks[task] += np.bincount(cells, (mass * label[:, None]).ravel(), minlength=len(rows))
            clicked += columns.weight @ (columns.labels > 0)
            total += float(columns.weight.sum())
        shape = (_FOLDS, num_values)
        mean_weight = total / max(start, 1)
        return cls(
            rows.reshape(shape) / mean_weight,
            np.moveaxis(clicks.reshape(num_tasks, *shape), 0, 2) / mean_weight,
            clicked / total,
        )

    @cached_property
    def _all_rows(self) -> Float64[ndarray, " value"]:
        total: Float64[ndarray, " value"] = self.rows.sum(axis=0)
        return total

    @cached_property
    def _all_clicks(self) -> Float64[ndarray, "value task"]:
        total: Float64[ndarray, "value task"] = self.clicks.sum(axis=0)
        return total

    def inputs(self, number: int, task: int, *, fold: int | None) -> Float64[ndarray, " value"]:
        """Compute input ``number`` of each value for the rows of a fold, or for new rows."""
        rows, clicks = self._all_rows, self._all_clicks[:, task]
        if fold is not None:
            rows, clicks = rows - self.rows[fold], clicks - self.clicks[fold, :, task]
        if number == len(_PRIOR_ROWS):
            counts: Float64[ndarray, " value"] = np.log1p(rows.clip(min=0))
            return counts
        rate, prior = self.rates[task], _PRIOR_ROWS[number]
        share = (clicks.clip(min=0) + prior * rate) / (rows.clip(min=0) + prior)
        odds: Float64[ndarray, " value"] = logit(share) - logit(np.array(rate))
        return odds


@dataclass(frozen=True)
class _Fitted:
    """Weights of one task: for new rows, and for the rows of each fold."""

    of_all: Float64[ndarray, " value"]
    without_fold: Float64[ndarray, "fold value"]
    bias: float


@dataclass(frozen=True)
class _Sample:
    """The rows of train that the regression is fitted to, in their order, and the tenths that they belong to."""

    pieces: Sequence[Columns]
    folds: Sequence[Int64[ndarray, " row"]]

    @classmethod
    def of(cls, dataset: PreparedDataset, folds: Int64[ndarray, " row"]) -> _Sample:
        split = dataset.split("train")
        rows = np.arange(0, split.num_rows, -(-split.num_rows // _MOST_ROWS))
        pieces, folds_of_pieces, start = [], [], 0
        for shard in split.shards:
            chosen = rows[(rows >= start) & (rows < start + shard.num_rows)]
            pieces.append(Columns.of(shard, chosen - start, dataset.schema))
            folds_of_pieces.append(folds[chosen])
            start += shard.num_rows
        return cls(pieces, folds_of_pieces)


def _weights_of(schema: FeatureSchema, tallies: _Tallies, sample: _Sample, task: int, shift: float) -> _Fitted:
    """Fit the regression of one task, and fold the weights of a feature's inputs into one for each of its values."""
    features = schema.with_ids
    label = np.concatenate([columns.labels[:, task] > 0 for columns in sample.pieces]).astype(np.float64)
    weight = np.concatenate([columns.weight for columns in sample.pieces]).astype(np.float64)
    matrix = np.empty((len(label), len(features) * _NUM_INPUTS))
    for number in range(_NUM_INPUTS):
        table = np.stack([tallies.inputs(number, task, fold=fold) for fold in range(_FOLDS)])
        filled = 0
        for columns, fold in zip(sample.pieces, sample.folds, strict=True):
            place = slice(filled, filled + len(fold))
            found = table[fold[:, None], columns.ids] * columns.mass
            matrix[place, number::_NUM_INPUTS] = np.add.reduceat(found, _first_positions(schema), axis=1)
            filled = place.stop
    matrix[:, ~_point_to_clicks(matrix, label, weight)] = 0
    mean, deviation = matrix.mean(axis=0), matrix.std(axis=0)
    deviation[deviation == 0] = 1
    regression = LogisticRegression.fit(
        (matrix - mean) / deviation, label, weight=weight / weight.mean(), penalty=_PENALTY
    )
    slopes = regression.weights / deviation
    by_value = np.repeat(slopes.reshape(-1, _NUM_INPUTS), [feature.num_ids for feature in features], axis=0)

    def weighed(fold: int | None) -> Float64[ndarray, " value"]:
        parts = [tallies.inputs(number, task, fold=fold) * by_value[:, number] for number in range(_NUM_INPUTS)]
        total: Float64[ndarray, " value"] = np.sum(parts, axis=0)
        return total

    bias = regression.bias - float(slopes @ mean) + shift
    return _Fitted(weighed(None), np.stack([weighed(fold) for fold in range(_FOLDS)]), bias)


def _point_to_clicks(
    matrix: Float64[ndarray, "row input"], label: Float64[ndarray, " row"], weight: Float64[ndarray, " row"]
) -> Bool[ndarray, " input"]:
    """Tell which inputs are of features whose rates rise with the label.

    The rate of a value among other rows falls with the label only where the rows of a value were made to have a fixed
    share of clicks, as with negatives drawn for each click: the others of a value then give away what is missing. No
    new row is like this, so that nothing of such a feature is used.
    """
    rates = matrix[:, 1::_NUM_INPUTS]
    covariance: Float64[ndarray, " feature"] = (weight * (label - weight @ label / weight.sum())) @ rates
    return np.repeat(covariance > 0, _NUM_INPUTS)


def _folds(num_rows: int) -> Int64[ndarray, " row"]:
    """Draw the tenth that each row of train belongs to, always the same."""
    folds: Int64[ndarray, " row"] = np.random.default_rng(_SEED).permutation(num_rows) % _FOLDS
    return folds


def _first_positions(schema: FeatureSchema) -> list[int]:
    """Find the first of the positions of each id feature."""
    widths = [1] * len(schema.categorical) + [feature.max_length for feature in schema.sequence]
    return list(accumulate([0, *widths[:-1]]))


def _pieces(dataset: PreparedDataset) -> Iterator[Columns]:
    """Read the rows of train, some at a time."""
    for shard in dataset.split("train").shards:
        for start in range(0, shard.num_rows, _ROWS_AT_ONCE):
            yield Columns.of(shard, np.arange(start, min(start + _ROWS_AT_ONCE, shard.num_rows)), dataset.schema)
