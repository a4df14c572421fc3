"""Read the cells of one column as texts: each distinct text once, and the code of each row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

BLANK = ""
"""The text of a blank cell, however it was written."""

BlankIds = Literal["value", "out_of_vocabulary", "padding"]
"""The id of a blank: one of its own, the last one (out of vocabulary), or that of padding."""


@dataclass(frozen=True)
class CellTexts:
    """The texts of a column, dictionary-encoded: ``values[codes]`` is the column. Blank cells are ``""``.

    ``values`` may hold duplicates, but its length is about the number of distinct texts, so that work on texts is
    done once per text and not once per row.
    """

    values: pl.Series
    codes: NDArray[np.int64]


def cell_texts(rows: RawRows, column: str, blanks: Collection[str]) -> CellTexts:
    """Read the texts of a column; empty cells, nulls and the texts in ``blanks`` become ``""``.

    Numbers, dates and truth values of a Parquet column are written as Arrow writes them (``3``, ``2014-10-21``).

    Example:
        >>> from pathlib import Path
        >>> batch = pa.RecordBatch.from_pydict({"site": ["a", "?", None, "a"]})
        >>> texts = cell_texts(RawRows(batch, Path("log.parquet")), "site", ["?"])
        >>> texts.values.gather(texts.codes).to_list()
        ['a', '', '', 'a']

    Raises:
        DataError: the column holds lists, structures or bytes.
    """
    cells = rows.column(column)
    encoded = cells if pa.types.is_dictionary(cells.type) else as_text(rows, column).dictionary_encode()
    values = pl.Series(column, as_text_array(rows, column, encoded.dictionary), dtype=pl.String)
    codes = encoded.indices.cast(pa.int64())
    if codes.null_count:
        codes = codes.fill_null(len(values))
        values = values.extend(pl.Series([BLANK], dtype=pl.String))
    return CellTexts(with_blanks(values, blanks), codes.to_numpy(zero_copy_only=True))


def plain_texts(rows: RawRows, column: str, blanks: Collection[str]) -> pl.Series | None:
    """Read the text of each row of a plain text column, blank cells as ``""``; None for any other type of column."""
    cells = rows.column(column)
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        return None
    values = pl.Series(column, cells, dtype=pl.String)
    if values.has_nulls():
        values = values.fill_null(BLANK)
    return values.replace(list(blanks), [BLANK] * len(blanks)) if blanks else values


def as_text(rows: RawRows, column: str) -> pa.Array:
    """Convert a column to Arrow text; nulls stay null."""
    return as_text_array(rows, column, rows.column(column))


def as_text_array(rows: RawRows, column: str, cells: pa.Array) -> pa.Array:
    """Convert Arrow cells of any flat type to text. ``rows`` and ``column`` are for the message."""
    kind = cells.type
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        advice = "try kind: sequence" if is_list else "leave the column out of data.fields, or write it as text"
        raise DataError(
            f"{rows.file}, column {column!r} must hold one text or number per row, but its type is {kind}; {advice}"
        )
    return pc.cast(cells, pa.large_string() if pa.types.is_large_string(kind) else pa.string())


def with_blanks(values: pl.Series, blanks: Collection[str]) -> pl.Series:
    """Replace null and every text in ``blanks`` by ``""``."""
    values = values.fill_null(BLANK)
    if not blanks:
        return values
    is_blank = values.is_in(list(blanks))
    return values.zip_with(~is_blank, pl.Series([BLANK], dtype=pl.String))
