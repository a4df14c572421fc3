"""Read the cells of one column as texts: each distinct text once, and the code of each row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankelastor.data.cells.spelling import Spelling, exact_bits, first_merged, spell, spell_texts
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


def cell_texts(
    rows: RawRows, column: str, blanks: Collection[str], spelling: Spelling = "canonical", *, are_ids: bool = True
) -> CellTexts:
    """Read the texts of a column; empty cells, nulls, NaN and the texts in ``blanks`` become ``""``.

    Args:
        rows: raw rows.
        column: the column to read.
        blanks: texts that mean blank.
        spelling: how values are spelled, so that one value has one text (``cells/spelling.py``).
        are_ids: whether whole floats that their type rounds are refused, since several ids become one.

    Example:
        >>> from pathlib import Path
        >>> batch = pa.RecordBatch.from_pydict({"site": ["a", "?", None, "2.0"]})
        >>> texts = cell_texts(RawRows(batch, Path("log.parquet")), "site", ["?"])
        >>> texts.values.gather(texts.codes).to_list()
        ['a', '', '', '2']

    Raises:
        DataError: the column holds lists, structures or bytes, or whole floats that their type rounds.
    """
    encoded = encode_distinct(rows, column, rows.column(column))

    def row_of(code: int) -> int:
        if not are_ids:
            return -1
        return int(pc.index(encoded.indices, pa.scalar(code, encoded.indices.type)).as_py())

    return spelled(rows, column, encoded, blanks=blanks, spelling=spelling, row_of=row_of)


def plain_texts(
    rows: RawRows, column: str, blanks: Collection[str], spelling: Spelling = "canonical"
) -> pl.Series | None:
    """Read the text of each row of a plain text column, blank cells as ``""``; None for any other type of column."""
    cells = rows.column(column)
    if not is_text(cells.type):
        return None
    values = pl.Series(column, _respell(cells, spelling), dtype=pl.String)
    if values.has_nulls():
        values = values.fill_null(BLANK)
    blanks = spell_blanks(blanks, spelling)
    return values.replace(list(blanks), [BLANK] * len(blanks)) if blanks else values


def encode_distinct(rows: RawRows, column: str, cells: pa.Array) -> pa.DictionaryArray:
    """Encode flat cells of any type by their distinct values. ``rows`` and ``column`` are for the message.

    Raises:
        DataError: the cells are lists, structures or bytes.
    """
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    _require_flat(rows, column, kind)
    if pa.types.is_dictionary(cells.type):
        return cells
    if pa.types.is_float16(kind):
        encoded = cells.view(pa.uint16()).dictionary_encode()
        return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.view(kind))
    return (cells.cast(pa.string()) if _is_view(kind) or pa.types.is_null(kind) else cells).dictionary_encode()


def spelled(
    rows: RawRows,
    column: str,
    encoded: pa.DictionaryArray,
    *,
    blanks: Collection[str],
    spelling: Spelling,
    row_of: Callable[[int], int],
) -> CellTexts:
    """Spell encoded cells; nulls and the texts in ``blanks`` become ``""``.

    Args:
        rows: the raw rows, for the message.
        column: the column, for the message.
        encoded: the cells, see ``encode_distinct``.
        blanks: texts that mean blank.
        spelling: how values are spelled.
        row_of: finds a row that holds the distinct value of a code, -1 if none does.

    Raises:
        DataError: a cell holds a whole float that its type rounds, so that ids have become one.
    """
    known = encoded.dictionary
    if is_text(known.type) or _is_view(known.type):
        texts = _respell(known.cast(pa.string()) if _is_view(known.type) else known, spelling)
    elif spelling == "version_1":
        texts = pc.cast(known, pa.string())
    else:
        _refuse_merged(rows, column, known, row_of)
        texts = spell(known)
    values = pl.Series(column, texts, dtype=pl.String)
    codes = encoded.indices.cast(pa.int64())
    if codes.null_count:
        codes = codes.fill_null(len(values))
        values = values.extend(pl.Series([BLANK], dtype=pl.String))
    return CellTexts(with_blanks(values, spell_blanks(blanks, spelling)), codes.to_numpy(zero_copy_only=False))


def spell_all(texts: pa.Array, blanks: Collection[str], spelling: Spelling) -> pl.Series:
    """Spell texts; nulls and the texts in ``blanks`` become ``""``."""
    return with_blanks(pl.Series(_respell(texts, spelling), dtype=pl.String), spell_blanks(blanks, spelling))


def as_text(rows: RawRows, column: str) -> pa.Array:
    """Convert a column to text as Arrow writes it; nulls stay null.

    Raises:
        DataError: the column holds lists, structures or bytes.
    """
    cells = rows.column(column)
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    _require_flat(rows, column, kind)
    if pa.types.is_string(cells.type):
        return cells
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    return pc.cast(cells, pa.large_string() if pa.types.is_large_string(kind) else pa.string())


def with_blanks(values: pl.Series, blanks: Collection[str]) -> pl.Series:
    """Replace null and every text in ``blanks`` by ``""``."""
    values = values.fill_null(BLANK)
    if not blanks:
        return values
    is_blank = values.is_in(list(blanks))
    return values.zip_with(~is_blank, pl.Series([BLANK], dtype=pl.String))


def spell_blanks(blanks: Collection[str], spelling: Spelling) -> list[str]:
    """Spell the texts that mean blank as the cells are spelled.

    Example:
        >>> spell_blanks(["-1.0", "NA"], "canonical")
        ['-1', 'NA']
    """
    return _respell(pa.array(list(blanks), pa.string()), spelling).to_pylist() if blanks else []


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is plain text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))


def _respell(texts: pa.Array, spelling: Spelling) -> pa.Array:
    return texts if spelling == "version_1" else spell_texts(texts, spelling)


def _require_flat(rows: RawRows, column: str, kind: pa.DataType) -> None:
    if _is_flat(kind):
        return
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    advice = "try kind: sequence" if is_list else "leave the column out of data.fields, or write it as text"
    raise DataError(
        f"{rows.file}, column {column!r} must hold one text or number per row, but its type is {kind}; {advice}"
    )


_FLAT = (
    is_text,
    _is_view,
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
    pa.types.is_duration,
)


def _is_flat(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _FLAT)


def _refuse_merged(rows: RawRows, column: str, known: pa.Array, row_of: Callable[[int], int]) -> None:
    code = first_merged(known)
    row = -1 if code is None else row_of(code)  # a dictionary may hold values that no row uses
    if code is None or row < 0:
        return
    raise DataError(
        f"{rows.file}, column {column!r}, row {rows.row_number(row)} must hold whole numbers below "
        f"2^{exact_bits(known.type)}, since a column of type {known.type} rounds larger ones and several ids become "
        f"one, but {known[code].as_py():.0f} was given; write the column as integers or as text"
    )
