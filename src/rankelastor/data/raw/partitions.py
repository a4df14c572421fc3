"""Read columns from the names of folders (``dt=2024-01-01/``), as Hive and Spark write partitions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePath
from urllib.parse import unquote

import pyarrow as pa

Partitions = tuple[tuple[str, str | None], ...]
"""The columns that the folders of a file name, and the value of each, the same in all of its rows."""

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def partitions_of(path: PurePath | str) -> Partitions:
    """Read the columns from the folders of a path: each that is called ``NAME=VALUE``.

    Escapes (``%2F``) are resolved, and ``__HIVE_DEFAULT_PARTITION__`` is a blank. Values are texts as they stand, so
    that ``hour=07`` is ``07``. The innermost folder counts if a name occurs twice.

    Example:
        >>> partitions_of("log/dt=2024-01-01/hour=07/part-0.parquet")
        (('dt', '2024-01-01'), ('hour', '07'))
    """
    found: dict[str, str | None] = {}
    for part in PurePath(path).parts[:-1]:
        name, equals, value = part.partition("=")
        if equals and name:
            found[unquote(name)] = None if value in {_NO_VALUE, ""} else unquote(value)
    return tuple(found.items())


def partition_names(partitions: Partitions, file_names: Collection[str]) -> tuple[str, ...]:
    """List the columns that the folders add: those that the file does not hold itself."""
    return tuple(name for name, _ in partitions if name not in set(file_names))


def append_partitions(batch: pa.RecordBatch, partitions: Partitions, columns: Sequence[str]) -> pa.RecordBatch:
    """Append those ``columns`` that are partitions, as texts; nulls where the value is missing.

    Example:
        >>> batch = pa.RecordBatch.from_pydict({"x": [1, 2]})
        >>> append_partitions(batch, (("dt", "2024"),), ["dt"]).to_pydict()
        {'x': [1, 2], 'dt': ['2024', '2024']}
    """
    for name, value in partitions:
        if name in columns:
            batch = batch.append_column(name, pa.repeat(pa.scalar(value, pa.string()), batch.num_rows))
    return batch
