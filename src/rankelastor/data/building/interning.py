"""Give the texts of a whole column their provisional codes, each kind of Arrow column in its quickest way."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, cell_texts
from rankelastor.data.interner import Interner
from rankelastor.data.raw.rows import RawRows


def interned(rows: RawRows, column: str, blanks: Collection[str], interner: Interner) -> NDArray[np.uint32]:
    """The code of each cell of a column; blank cells have the code of the blank text.

    Plain text goes to the interner row by row: finding a piece's distinct texts first would hash each cell once and
    most texts of a large vocabulary twice. All other types are reduced to their distinct values first.

    Example:
        >>> from pathlib import Path
        >>> rows = RawRows(pa.RecordBatch.from_pydict({"site": ["b", "?", "b", None]}), Path("log.parquet"))
        >>> interned(rows, "site", ["?"], Interner()).tolist()
        [0, 1, 0, 1]

    Raises:
        DataError: the column holds lists, structures or bytes.
    """
    cells = rows.column(column)
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        texts = cell_texts(rows, column, blanks)
        return interner.codes(texts.values)[texts.codes]
    values = pl.Series(column, cells, dtype=pl.String)
    if values.has_nulls():
        values = values.fill_null(BLANK)
    if blanks:
        values = values.replace(list(blanks), [BLANK] * len(blanks))
    return interner.codes(values)
