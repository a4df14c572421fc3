"""Parquet files say the type of each column: the files of one data set must agree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import pyarrow as pa

from rankelastor.data.raw.parquet_file import column_types
from rankelastor.data.raw.rows import is_parquet
from rankelastor.errors import DataError

_KINDS: tuple[tuple[str, Callable[[pa.DataType], bool]], ...] = (
    ("text", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)),
    ("truth", pa.types.is_boolean),
    ("integer", pa.types.is_integer),
    ("floating", pa.types.is_floating),
    ("date", pa.types.is_date),
    ("timestamp", pa.types.is_timestamp),
)


def require_same_types(files: Iterable[Path], columns: Collection[str], numbers: Collection[str]) -> None:
    """Raise unless the Parquet files give each of ``columns`` a type of the same kind.

    Widths may differ (int32, int64), and text may be dictionary-encoded. In the columns ``numbers``, which are read
    as numbers alone, integers and floats are the same; elsewhere ``3`` and ``3.0`` would become different values.

    Raises:
        DataError: names the file, the column and both types.
    """
    first: dict[str, tuple[Path, pa.DataType]] = {}
    for file in files:
        if not is_parquet(file):
            continue
        for name, kind in column_types(file, columns).items():
            other, expected = first.setdefault(name, (file, kind))
            if _kind(kind, number=name in numbers) != _kind(expected, number=name in numbers):
                raise DataError(
                    f"{file}, column {name!r} must have a type like {expected}, as in {other}, but its type is {kind}; "
                    "write both files with the same schema"
                )


def _kind(kind: pa.DataType, *, number: bool) -> str:
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type, number=number)
    name = next((name for name, matches in _KINDS if matches(kind)), str(kind))
    return "number" if number and name in {"integer", "floating", "truth"} else name
