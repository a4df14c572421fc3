"""The design matrix of prepared rows: ids one-hot, sequences as means, numbers standardised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from rankelastor.data.shards import Shard
from rankelastor.schema import PADDING_ID, FeatureSchema

Matrix = Any
"""A matrix of float64, (row, column): a plain array, or SciPy's csr_array, which is not imported to be named."""
_FEW_COLUMNS, _FEW_VALUES = 512, 2**21
"""Largest number of columns, and of values, for which the matrix is a plain one and SciPy is not imported."""
_LARGEST_NUMBER = 10.0
"""Standardised numbers are clipped to this size, so that one outlier does not decide about a weight."""


@dataclass(frozen=True)
class Columns:
    """Some rows of a split: ``ids`` (row, position) with ``mass``, ``numbers`` (row, numeric), labels, weights."""

    ids: Int64[ndarray, "row position"]
    mass: Float64[ndarray, "row position"]
    numbers: Float64[ndarray, "row numeric"]
    labels: Float64[ndarray, "row task"]
    weight: Float64[ndarray, " row"]

    @classmethod
    def of(cls, shard: Shard, rows: Int64[ndarray, " row"], schema: FeatureSchema) -> Self:
        """Take the rows with these numbers from a shard; the ids of all features get ranges of their own.

        A padding id of a categorical feature (a blank) is an id like others; padding of a sequence has no mass, and the
        elements of a sequence share a mass of 1.
        """
        starts = np.cumsum([0, *(feature.num_ids for feature in schema.with_ids)])
        num_categorical = len(schema.categorical)
        categorical = shard.categorical[rows].astype(np.int64) + starts[:num_categorical]
        parts, masses = [categorical], [np.ones(categorical.shape)]
        first = 0
        for feature, start in zip(schema.sequence, starts[num_categorical:], strict=False):
            assert shard.sequence is not None, "the schema has sequence features"
            elements = shard.sequence[rows, first : first + feature.max_length].astype(np.int64)
            first += feature.max_length
            held = elements != PADDING_ID
            parts.append(elements + start)
            masses.append(held / np.maximum(held.sum(axis=1, keepdims=True), 1))
        weight = np.ones(len(rows)) if shard.weight is None else shard.weight[rows].astype(np.float64)
        return cls(
            np.concatenate(parts, axis=1),
            np.concatenate(masses, axis=1),
            shard.numeric[rows].astype(np.float64),
            shard.labels[rows].astype(np.float64),
            weight,
        )


class Design:
    """A map from prepared rows to a matrix, fitted on sampled train rows.

    An id has a column of its own if it occurs at least twice there; all other ids have none. Numbers are standardised.
    """

    def __init__(self, columns: Columns) -> None:
        ids, counts = np.unique(columns.ids[columns.mass > 0], return_counts=True)
        self._ids = ids[counts > 1]
        self._mean = columns.numbers.mean(axis=0)
        deviation = columns.numbers.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)

    @property
    def num_columns(self) -> int:
        """Number of columns of the matrix: the ids, then the numbers."""
        return len(self._ids) + len(self._mean)

    def matrix(self, columns: Columns) -> Matrix:
        """Make the matrix of some rows, float64 (row, column): sparse, or a plain one if it is small."""
        places = np.searchsorted(self._ids, columns.ids).clip(max=max(len(self._ids) - 1, 0))
        known = self._is_known(columns, places)
        numbers = ((columns.numbers - self._mean) / self._deviation).clip(-_LARGEST_NUMBER, _LARGEST_NUMBER)
        num_rows, num_numbers = numbers.shape
        counts = known.sum(axis=1) + num_numbers
        all_places = np.concatenate(
            [places, np.broadcast_to(len(self._ids) + np.arange(num_numbers), numbers.shape)], axis=1
        )
        chosen = np.concatenate([known, np.ones(numbers.shape, dtype=np.bool_)], axis=1)
        values = np.concatenate([columns.mass, numbers], axis=1)[chosen]
        shape = (num_rows, self.num_columns)
        if self.num_columns <= _FEW_COLUMNS and num_rows * self.num_columns <= _FEW_VALUES:
            flat = np.repeat(np.arange(num_rows), counts) * self.num_columns + all_places[chosen]
            return np.bincount(flat, values, minlength=num_rows * self.num_columns).reshape(shape)
        from scipy.sparse import csr_array  # noqa: PLC0415 - takes .3 s, which is much where rows are few

        return csr_array((values, all_places[chosen], np.concatenate([[0], np.cumsum(counts)])), shape=shape)

    def _is_known(self, columns: Columns, places: Int64[ndarray, "row position"]) -> Bool[ndarray, "row position"]:
        if not len(self._ids):
            return np.zeros(columns.ids.shape, dtype=np.bool_)
        known: Bool[ndarray, "row position"] = (self._ids[places] == columns.ids) & (columns.mass > 0)
        return known
