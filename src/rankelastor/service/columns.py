"""Turn the rows of a request into columns of Arrow, as a frame has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from rankelastor.data.raw.rows import RawRows
from rankelastor.service.refusals import Refusal
from rankelastor.service.request_types import Row

REQUEST = Path("the request")
"""What messages name in place of a file."""


def raw_rows(rows: Sequence[Row], columns: Collection[str]) -> RawRows:
    """Take some columns of rows; the values of a column may be of several types, which are then spelled as texts.

    Args:
        rows: the rows.
        columns: names of the columns.

    Example:
        >>> rows = raw_rows([{"site": "a", "age": 3}, {"site": 12, "age": None}], ["site", "age"])
        >>> rows.column("site").to_pylist(), rows.column("age").to_pylist()
        (['a', '12'], [3, None])

    Raises:
        Refusal: a whole number does not fit into 64 bits among other numbers, or a text is no UTF-8.
    """
    arrays = [_array([row.get(name) for row in rows], name) for name in columns]
    return RawRows(pa.RecordBatch.from_arrays(arrays, names=list(columns)), REQUEST)


def _array(values: list[Any], name: str) -> pa.Array:
    try:
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1:
            values = [_text(value) for value in values]
        elif not kinds:
            return pa.nulls(len(values), pa.string())
        elif kinds == {list}:
            return _lists(values)
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError):
        try:
            return pa.array([_text(value) for value in values], pa.string())
        except (pa.ArrowException, UnicodeError):
            raise Refusal(422, f"{name} must hold texts in UTF-8, but does not") from None


def _lists(values: list[Any]) -> pa.Array:
    elements = {type(element) for value in values if value is not None for element in value if element is not None}
    if len(elements) > 1:
        values = [None if value is None else [_text(element) for element in value] for value in values]
    return pa.array(values) if elements else pa.array(values, pa.list_(pa.string()))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
