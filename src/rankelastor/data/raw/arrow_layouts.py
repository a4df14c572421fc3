"""Bring columns to the plain layouts of Arrow: views, run ends and extensions hold the same values otherwise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Find the plain type that holds the same values.

    Example:
        >>> plain_type(pa.string_view()), plain_type(pa.int8())
        (DataType(large_string), DataType(int8))
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, plain_type(kind.value_type))
    if _is_list(kind):
        inner = plain_type(kind.value_type)
        return pa.list_(inner, kind.list_size) if pa.types.is_fixed_size_list(kind) else pa.large_list(inner)
    return {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(kind, kind)


def _is_list(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_list,
            pa.types.is_large_list,
            pa.types.is_fixed_size_list,
            pa.types.is_list_view,
            pa.types.is_large_list_view,
        )
    )


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Replace the types of a schema by plain ones; a schema of plain types is returned as it is."""
    if all(_is_plain(field.type) for field in schema):
        return schema
    return pa.schema([field if _is_plain(field.type) else field.with_type(plain_type(field.type)) for field in schema])


def with_plain_layouts(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Convert the columns whose layout is not plain; a batch of plain columns is returned as it is."""
    if all(_is_plain(field.type) for field in batch.schema):
        return batch
    columns = [cells if _is_plain(cells.type) else _plain(cells) for cells in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=plain_schema(batch.schema))


def _is_plain(kind: pa.DataType) -> bool:
    """Tell whether no part of a type needs another layout; names of list elements do not count."""
    if isinstance(kind, pa.BaseExtensionType) or pa.types.is_run_end_encoded(kind):
        return False
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return False
    if pa.types.is_dictionary(kind) or _is_list(kind):
        return _is_plain(kind.value_type)
    return bool(plain_type(kind) == kind)


def _plain(cells: pa.Array) -> pa.Array:
    kind = cells.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(cells.storage)
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(cells))
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(cells.indices, _plain(cells.dictionary))
    if _is_list(kind) and not pa.types.is_fixed_size_list(kind):
        # by hand, since casting list views loses elements (pyarrow 26)
        lengths = pc.fill_null(pc.list_value_length(cells), 0).cast(pa.int64())
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths.to_numpy())]), pa.int64())
        inner = pc.list_flatten(cells)
        inner = inner if _is_plain(inner.type) else _plain(inner)
        return pa.LargeListArray.from_arrays(offsets, inner, mask=cells.is_null())
    return cells.cast(plain_type(kind))
