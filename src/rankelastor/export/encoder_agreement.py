"""Compare what the reference encoder makes of example rows with what our encoder makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import RunError
from rankelastor.export.reference_encoder import Encoder, EncodingError

_LAST_BIT = 1.2e-7
"""Logarithms of two libraries may differ in the last bit of a float32."""


def check_encoder(encoding: Mapping[str, Any], rows: RawRows, expected: Mapping[str, Tensor]) -> None:
    """Encode rows by the reference encoder, and compare with the inputs that our encoder makes of them.

    Args:
        encoding: the encoding.
        rows: the rows.
        expected: the inputs by name.

    Raises:
        RunError: they differ.
    """
    try:
        found = Encoder(encoding).encode(python_rows(rows.table))
    except EncodingError as error:
        raise RunError(f"the reference encoder of an export must read the rows of the check, but {error}") from None
    for name, tensor in expected.items():
        values = torch.tensor(found[name], dtype=tensor.dtype)
        is_same = torch.isclose(values, tensor, rtol=_LAST_BIT, atol=0.0).all(dim=1)
        if not is_same.all():
            row = int(is_same.logical_not().nonzero()[0, 0])
            raise RunError(
                f"the reference encoder of an export must give the ids and numbers of our encoder, but makes "
                f"{values[row].tolist()} and not {tensor[row].tolist()} of the {name} fields of row {row + 1} of the "
                "check; nothing is written"
            )


def python_rows(table: pa.RecordBatch) -> list[dict[str, Any]]:
    """Convert rows to dicts of Python's own types, which have no times finer than a microsecond.

    Example:
        >>> python_rows(pa.RecordBatch.from_pydict({"site": ["a", None], "age": [3, 4]}))
        [{'site': 'a', 'age': 3}, {'site': None, 'age': 4}]
    """
    coarser = pa.RecordBatch.from_arrays(list(_coarser(table)), names=table.schema.names)
    rows: list[dict[str, Any]] = coarser.to_pylist()
    return rows


def _coarser(table: pa.RecordBatch) -> Iterator[pa.Array]:
    for column in table.columns:
        kind = column.type
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            yield column.cast(pa.timestamp("us", kind.tz), safe=False)
        elif kind in {pa.time64("ns"), pa.duration("ns")}:
            yield column.cast(pa.time64("us") if pa.types.is_time(kind) else pa.duration("us"), safe=False)
        else:
            yield column
