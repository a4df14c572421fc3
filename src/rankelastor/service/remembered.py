"""Encode the rows of requests; what became of a value is remembered, so that it is looked up once and not again."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.encoded_rows import EncodedRows
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.kinds.cells import Numbering
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.schema import Batch
from rankelastor.service.columns import REQUEST, raw_rows
from rankelastor.service.request_types import Row

_PLAIN = frozenset({str, int, type(None)})
_NUMERIC = frozenset({int, float, type(None)})
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_NOT_PLAIN = object()
_MOST_VALUES = 1 << 18
_LONGEST = 128
_NO_CONTEXT: Mapping[str, Any] = {}


class RememberingEncoder:
    """Encodes rows as ``RowEncoder`` does, quicker where values come again.

    What a feature becomes in one row depends on the cells of that row alone, so that it can be remembered by them. At
    most ``most_values`` are remembered over all features; numbers and long values never are.

    Args:
        encoder: the encoder whose results these are.
        most_values: how many values of all features together are remembered.
    """

    def __init__(self, encoder: RowEncoder, *, most_values: int = _MOST_VALUES) -> None:
        self._encoder = encoder
        self._features = encoder.manifest.features
        vocabularies = encoder.vocabularies
        self._numberings = {
            spec.name: Numbering(vocabularies[spec.name].ids, once_per_text=True)
            if spec.name in vocabularies
            else Numbering.none()
            for spec in self._features
        }
        self._found: dict[str, dict[Hashable, Any]] = {spec.name: {} for spec in self._features}
        self._most_of_each = max(1, most_values // max(1, len(self._features)))

    def encode(self, rows: Sequence[Row], *, context: Row = _NO_CONTEXT) -> Batch:
        """Encode rows, each with the values of ``context`` beside its own; what reads those alone is encoded once.

        Every column stands in the context or in each row.

        Raises:
            DataError: a cell is wrong; the message names its column and row.
            Refusal: a text is no UTF-8.
        """
        try:
            columns = [self._column(spec, rows, context) for spec in self._features]
        except DataError:  # of the values that were not remembered; the whole request names the row
            whole = [{**context, **row} for row in rows] if context else rows
            return self._encoder.encode(raw_rows(whole, self._encoder.columns))
        return EncodedRows.assemble(self._encoder.schema, len(rows), columns).as_batch()

    def _column(self, spec: FeatureSpec, rows: Sequence[Row], context: Row) -> NDArray[Any]:
        """Encode a feature: one entry per row, or one for all."""
        if spec.is_served:
            return np.zeros(1)  # the embedding puts the value for serving in its place
        if all(name in context for name in spec.columns):
            rows = [context]
        values = [
            [context[name]] * len(rows) if name in context else [row[name] for row in rows] for name in spec.columns
        ]
        if spec.reads == "number" and self._encoder.marks.are_plain:
            return self._of_arrays(spec, [_as_numbers(each) for each in values])
        return self._remembered(spec, values)

    def _remembered(self, spec: FeatureSpec, values: list[list[Any]]) -> NDArray[Any]:
        found = self._found[spec.name]
        keys = _keys(values)
        missing = {key: row for row, key in enumerate(keys) if key not in found}
        if missing:
            new = self._of_each_type(spec, values, missing)
            return _in_order(self._with(spec.name, new), keys)
        return _in_order(found, keys)

    def _of_each_type(
        self, spec: FeatureSpec, values: list[list[Any]], rows: Mapping[Hashable, int]
    ) -> dict[Hashable, Any]:
        """Encode the cells of some rows, those of each type by themselves, so that a result depends on no other row."""
        by_types: dict[tuple[type, ...], list[tuple[Hashable, int]]] = {}
        for key, row in rows.items():
            by_types.setdefault(tuple(type(each[row]) for each in values), []).append((key, row))
        new: dict[Hashable, Any] = {}
        for some in by_types.values():
            cells = [dict(zip(spec.columns, (each[row] for each in values), strict=True)) for _, row in some]
            encoded = self._of_rows(spec, raw_rows(cells, spec.columns))
            new.update(zip([key for key, _ in some], encoded.tolist(), strict=True))
        return new

    def _with(self, name: str, new: dict[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Add results to those of a feature, and remember them if there is room for them."""
        found = self._found[name]
        if len(found) + len(new) > self._most_of_each:
            self._found[name] = {}
            return found | new
        if all(len(str(key)) <= _LONGEST for key in new):
            found.update(new)
            return found
        found.update({key: each for key, each in new.items() if len(str(key)) <= _LONGEST})
        return found | new

    def _of_arrays(self, spec: FeatureSpec, arrays: list[pa.Array]) -> NDArray[Any]:
        return self._of_rows(spec, RawRows(pa.RecordBatch.from_arrays(arrays, names=list(spec.columns)), REQUEST))

    def _of_rows(self, spec: FeatureSpec, rows: RawRows) -> NDArray[Any]:
        return spec.encode(spec.parse(self._encoder.source(rows, self._numberings[spec.name])))


def _in_order(found: Mapping[Hashable, Any], keys: list[Hashable]) -> NDArray[Any]:
    return np.asarray([found[key] for key in keys])


def _keys(values: list[list[Any]]) -> list[Hashable]:
    """Make a key of the cells of each row; equal cells of different types, as 1 and true, have different keys."""
    columns = [
        column if _PLAIN.issuperset(map(type, column)) else [_key(value) for value in column] for column in values
    ]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _key(value: Any) -> Hashable:
    return value if type(value) in _PLAIN else (type(value).__name__, repr(value))


def _as_numbers(values: list[Any]) -> pa.Array:
    """Make one column of numbers, where texts are written as plain ones; of other texts, a column of texts."""
    if not _NUMERIC.issuperset(map(type, values)):
        plain = [_number(value) for value in values]
        values = values if _NOT_PLAIN in plain else plain
    if _NUMERIC.issuperset(map(type, values)):
        with suppress(pa.ArrowException, OverflowError):  # whole numbers that float64 would round
            return pa.array(values, pa.float64())
    return raw_rows([{"value": value} for value in values], ["value"]).column("value")


def _number(value: Any) -> Any:
    if type(value) is not str:
        return _NOT_PLAIN if type(value) is bool else value
    if not value:
        return None
    return float(value) if _PLAIN_NUMBER.fullmatch(value) else _NOT_PLAIN
