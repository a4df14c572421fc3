"""Read frames of polars, pandas and Arrow as raw rows, through Arrow's C stream interface."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

import pyarrow as pa

from rankelastor.data.raw.arrow_file import pieces
from rankelastor.data.raw.arrow_layouts import with_plain_layouts
from rankelastor.data.raw.column_names import require_different
from rankelastor.data.raw.parquet_texts import require_utf8
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

FRAME = Path("the frame")
"""What messages call a frame, where they would name a file."""

_INDEX = re.compile(r"__index_level_\d+__")
_KNOWN = "a frame of polars, pandas (2.2 or newer) or Arrow, or a mapping of column names to lists"


@runtime_checkable
class ArrowStream(Protocol):
    """A table that can be read through Arrow's C stream interface, such as a frame of polars or pandas."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the table as a capsule."""
        ...


Frame = ArrowStream | Mapping[str, object]
"""A table in memory: of polars, pandas or Arrow, or lists by column name."""


def is_frame(table: object) -> TypeGuard[Frame]:
    """Tell whether an object is a table in memory, rather than a path or a stream of bytes.

    Example:
        >>> is_frame({"user": ["a"]}), is_frame("clicks.csv")
        (True, False)
    """
    return isinstance(table, ArrowStream | Mapping)


def frame_rows(frame: Frame) -> Iterator[RawRows]:
    """Read a frame in pieces; a frame without rows is one empty piece. The index of a pandas frame is left out.

    Example:
        >>> import polars as pl
        >>> [rows.names for rows in frame_rows(pl.DataFrame({"user": ["a"], "price": [1.5]}))]
        [('user', 'price')]

    Raises:
        DataError: the object is no frame, a column holds values of several types or text that is not UTF-8, or two
            columns have one name.
    """
    first_row = 1
    try:
        with _reader(frame) as reader:
            wanted = [name for name in reader.schema.names if not _INDEX.fullmatch(name)]
            require_different(wanted, FRAME)
            for batch in (piece for stored in reader for piece in pieces(stored.select(wanted))):
                require_utf8(batch, FRAME, first_row)
                yield RawRows(with_plain_layouts(batch), FRAME, first_row)
                first_row += batch.num_rows
            if first_row == 1:
                empty = pa.RecordBatch.from_pylist([], schema=reader.schema).select(wanted)
                yield RawRows(with_plain_layouts(empty), FRAME)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{FRAME} must hold columns of one type each, but {error}; convert the column first") from error


def _reader(frame: object) -> pa.RecordBatchReader:
    if isinstance(frame, ArrowStream):
        return pa.RecordBatchReader.from_stream(frame)
    if isinstance(frame, Mapping):
        return pa.table(dict(frame)).to_reader()
    advice = "call .collect() first" if hasattr(frame, "collect") else "try polars.DataFrame(...)"
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}".removeprefix("builtins.")
    raise DataError(f"{FRAME} must be {_KNOWN}, but {kind} was given; {advice}")
