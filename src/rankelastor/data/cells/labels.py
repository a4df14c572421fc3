"""The label column: 0 or 1, nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, cell_texts
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

_TRUTH = {"true": 1.0, "false": 0.0}


def parse_labels(rows: RawRows, column: str) -> NDArray[np.float32]:
    """The labels of raw rows as float32 0 and 1; ``1.0``, ``true`` and ``True`` count as 1.

    Raises:
        DataError: a label is anything else or blank; the message names file, column and row.
    """
    texts = cell_texts(rows, column, blanks=())
    lower = texts.values.str.to_lowercase()
    numbers = lower.replace_strict(_TRUTH, default=lower.cast(pl.Float64, strict=False), return_dtype=pl.Float64)
    allowed = numbers.is_in([0.0, 1.0]).fill_null(value=False).to_numpy()
    wrong = ~allowed[texts.codes]
    if wrong.any():
        index = int(wrong.argmax())
        value = texts.values[int(texts.codes[index])]
        given = "a blank" if value == BLANK else repr(value)
        raise DataError(
            f"{rows.file}, column {column!r}, row {rows.row_number(index)}: the label must be 0 or 1, "
            f"but {given} was given; check data.label, or mend the row"
        )
    return numbers.fill_null(0.0).cast(pl.Float32).to_numpy()[texts.codes]
