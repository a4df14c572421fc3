"""Hold the Parquet files of one data set to one schema: a column that changes its kind means other data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rankelastor.data.raw.parquet_file import column_names
from rankelastor.data.raw.rows import is_parquet
from rankelastor.errors import DataError


def require_same_kinds(files: Sequence[Path], columns: Collection[str]) -> None:
    """Raise unless each column holds the same kind of thing in every Parquet file.

    Kinds are number, truth value, text, time, bytes, and list of one of these: the width of an integer or of a list's
    offsets may change, and a column that is all null goes with every kind.

    Raises:
        DataError: a column's kind changes, or a file is no Parquet; the message names the files and the column.
    """
    seen: dict[str, tuple[str, Path, pa.DataType]] = {}
    for file in filter(is_parquet, files):
        column_names(file)  # explains a file that is no Parquet
        schema = pq.read_schema(file)
        for name in (name for name in schema.names if name in set(columns)):
            kind = kind_of(schema.field(name).type)
            first_kind, first, first_type = seen.setdefault(name, (kind, file, schema.field(name).type))
            if kind != first_kind and "null" not in {kind, first_kind}:
                raise DataError(
                    f"{file}, column {name!r} must hold the type {first_type} as {first} does, but its type is "
                    f"{schema.field(name).type}; write all files with one schema"
                )


def kind_of(column_type: pa.DataType) -> str:
    """What a column holds, in words.

    Example:
        >>> kind_of(pa.int8()) == kind_of(pa.float64()), kind_of(pa.large_list(pa.string()))
        (True, 'list of text')
    """
    if pa.types.is_dictionary(column_type):
        return kind_of(column_type.value_type)
    if pa.types.is_list(column_type) or pa.types.is_large_list(column_type) or pa.types.is_fixed_size_list(column_type):
        return f"list of {kind_of(column_type.value_type)}"
    if pa.types.is_integer(column_type) or pa.types.is_floating(column_type) or pa.types.is_decimal(column_type):
        return "number"
    if pa.types.is_string(column_type) or pa.types.is_large_string(column_type):
        return "text"
    return "time" if pa.types.is_temporal(column_type) else str(column_type)
