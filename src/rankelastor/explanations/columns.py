"""The raw columns that a ranker reads, and what each of them becomes in a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from rankelastor.data.encoder import RowEncoder
from rankelastor.schema import Batch, CategoricalFeature, NumericFeature


@dataclass(frozen=True)
class ColumnPlaces:
    """Where the features that read one raw column lie in a batch.

    Attributes:
        column: the raw column.
        categorical: indices of columns of ``Batch.categorical``.
        numeric: indices of columns of ``Batch.numeric``.
        sequence: indices of columns of ``Batch.sequence``.
    """

    column: str
    categorical: tuple[int, ...]
    numeric: tuple[int, ...]
    sequence: tuple[int, ...]

    def moved(self, batch: Batch, other: Batch) -> Batch:
        """Copy a batch with the features of this column taken from another batch of as many rows."""
        sequence = batch.sequence
        if sequence is not None and other.sequence is not None and self.sequence:
            sequence = _with(sequence, other.sequence, self.sequence)
        return replace(
            batch,
            categorical=_with(batch.categorical, other.categorical, self.categorical),
            numeric=_with(batch.numeric, other.numeric, self.numeric),
            sequence=sequence,
        )


def column_places(encoder: RowEncoder) -> tuple[ColumnPlaces, ...]:
    """List the columns that count when scoring, in declared order, with the places of their features.

    A feature that reads several columns, such as a match, belongs to each of them.
    """
    places: dict[str, tuple[list[int], list[int], list[int]]] = {name: ([], [], []) for name in encoder.columns}
    num_ids, num_numbers, position = 0, 0, 0
    for spec in encoder.manifest.features:
        feature = spec.feature
        if isinstance(feature, CategoricalFeature):
            kind, found, num_ids = 0, [num_ids], num_ids + 1
        elif isinstance(feature, NumericFeature):
            kind, found, num_numbers = 1, [num_numbers], num_numbers + 1
        else:
            kind, found = 2, list(range(position, position + feature.max_length))
            position += feature.max_length
        for column in spec.columns if not spec.is_served else ():
            places[column][kind].extend(found)
    return tuple(ColumnPlaces(name, *map(tuple, found)) for name, found in places.items())


def _with(values: Tensor, others: Tensor, places: tuple[int, ...]) -> Tensor:
    if not places:
        return values
    changed = values.clone()
    changed[:, list(places)] = others[:, list(places)]
    return changed
