"""Encoded rows as arrays: one for categorical, one for numeric and one for sequence features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature


@dataclass(frozen=True)
class EncodedRows:
    """Encoded rows with the columns of a batch and of a shard.

    ``categorical`` int32 (row, categorical feature), ``numeric`` float32 (row, numeric feature), ``sequence`` int32
    (row, position of all sequence features side by side) or None if there is no sequence feature; ``labels`` float32
    (row, task), ``group`` int64 (row,) and ``weight`` float32 (row,), each None if the rows have none.
    """

    categorical: NDArray[np.int32]
    numeric: NDArray[np.float32]
    sequence: NDArray[np.int32] | None = None
    labels: NDArray[np.float32] | None = None
    group: NDArray[np.int64] | None = None
    weight: NDArray[np.float32] | None = None

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self.categorical)

    def select(self, rows: NDArray[np.int64] | slice) -> Self:
        """Select rows by index."""
        present = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: values[rows] for name, values in present.items() if values is not None})

    def as_batch(self) -> Batch:
        """Share the features as a batch on the CPU, without labels and group."""
        return Batch(
            categorical=torch.from_numpy(self.categorical),
            numeric=torch.from_numpy(self.numeric),
            labels=None,
            group=None,
            sequence=None if self.sequence is None else torch.from_numpy(self.sequence),
        )

    @classmethod
    def assemble(cls, schema: FeatureSchema, num_rows: int, columns: Iterable[NDArray[Any]]) -> Self:
        """Assemble encoded columns, one per feature in declared order, into one array per form of feature.

        Example:
            >>> schema = FeatureSchema((CategoricalFeature("site", 9), NumericFeature("age")))
            >>> rows = EncodedRows.assemble(schema, 2, [np.array([4, 5]), np.array([0.5, 1.5])])
            >>> rows.categorical.tolist(), rows.numeric.tolist()
            ([[4], [5]], [[0.5], [1.5]])
        """
        categorical = np.empty((num_rows, len(schema.categorical)), dtype=np.int32)
        numeric = np.empty((num_rows, len(schema.numeric)), dtype=np.float32)
        sequence = np.empty((num_rows, schema.num_positions), dtype=np.int32)
        num_ids, num_numbers, position = 0, 0, 0
        for feature, values in zip(schema.features, columns, strict=True):
            if isinstance(feature, CategoricalFeature):
                categorical[:, num_ids] = values
                num_ids += 1
            elif isinstance(feature, NumericFeature):
                numeric[:, num_numbers] = values
                num_numbers += 1
            else:
                sequence[:, position : position + feature.max_length] = values
                position += feature.max_length
        return cls(categorical, numeric, sequence if schema.sequence else None)
