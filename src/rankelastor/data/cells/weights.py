"""Parse the weight column: the weight of each example in loss and metrics."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.number_texts import PLAIN, NumberMarks, marks_of, read_numbers
from rankelastor.data.cells.texts import BLANK, cell_texts
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def parse_weights(
    rows: RawRows, column: str, blanks: Collection[str] = (), marks: NumberMarks = PLAIN
) -> NDArray[np.float32]:
    """Parse a weight column into float32, one per row, each finite and not negative.

    Args:
        rows: raw rows.
        column: the column of weights.
        blanks: texts that mean blank, which is refused.
        marks: the decimal mark and the thousands separator of numbers that are written as text.

    Example:
        >>> from pathlib import Path
        >>> import pyarrow as pa
        >>> parse_weights(RawRows(pa.RecordBatch.from_pydict({"w": ["0.5", "2"]}), Path("log.csv")), "w").tolist()
        [0.5, 2.0]

    Raises:
        DataError: a weight is blank, not a number, negative, or not finite in float32; the message names file,
            column, row and value.
    """
    texts = cell_texts(rows, column, blanks, "as_written", are_ids=False)
    weights = read_numbers(texts.values, marks_of(rows.column(column), marks))
    right = weights.is_finite() & (weights >= 0) & (weights <= _FLOAT32_MAX)
    wrong = ~right.fill_null(value=False).to_numpy()[texts.codes]
    if wrong.any():
        index = int(wrong.argmax())
        text = texts.values[int(texts.codes[index])]
        given = "a blank" if text == BLANK else repr(text)
        raise DataError(
            f"{rows.file}, column {column!r}, row {rows.row_number(index)}: a weight must be a finite number, 0 or "
            f"more, but {given} was given; check data.weight, or fix the row"
        )
    return weights.fill_null(0.0).cast(pl.Float32).to_numpy()[texts.codes] + np.float32(0)  # -0.0 becomes 0.0
