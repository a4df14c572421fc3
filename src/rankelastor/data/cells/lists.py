"""Parse the cells of one column into lists of texts: Parquet lists, or texts with a separator between elements."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, CellTexts, as_text_array, cell_texts, with_blanks
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.schema import PADDING_ID

Offsets = NDArray[np.int64]
"""Start of each list among all elements, followed by the end of the last one: int64 (row + 1,)."""


@dataclass(frozen=True)
class CellLists:
    """The lists of a column: row i holds the elements ``offsets[i]`` to ``offsets[i + 1]`` of ``elements``.

    A blank element is ``""``; a blank cell is an empty list, or a list of one blank element.
    """

    elements: CellTexts
    offsets: Offsets


def cell_lists(
    rows: RawRows, column: str, *, separator: str | None, max_length: int, blanks: Collection[str]
) -> CellLists:
    """Parse the lists of a column, each cut to its last ``max_length`` elements.

    Args:
        rows: raw rows.
        column: the column to read.
        separator: the character between elements; None if the column holds Parquet lists.
        max_length: number of newest elements to keep.
        blanks: texts that mean blank, for an element and for a whole cell.

    Example:
        >>> from pathlib import Path
        >>> rows = RawRows(pa.RecordBatch.from_pydict({"seen": ["a^b^c", "", "b"]}), Path("log.csv"))
        >>> lists = cell_lists(rows, "seen", separator="^", max_length=2, blanks=[])
        >>> lists.elements.values.gather(lists.elements.codes).to_list(), lists.offsets.tolist()
        (['b', 'c', '', 'b'], [0, 2, 3, 4])

    Raises:
        DataError: the column holds lists but a separator was given, or no lists and none was given; or its elements
            are lists, structures or bytes.
    """
    cells = rows.column(column)
    if separator is None:
        return _split_parquet_lists(rows, column, cells, max_length, blanks)
    if _is_list(cells.type):
        raise DataError(
            f"{rows.file}, column {column!r} must hold texts with the separator {separator!r}, but its type is "
            f"{cells.type}; leave separator out"
        )
    return _split_texts(cell_texts(rows, column, blanks), separator, max_length, blanks)


def pad_left(values: NDArray[np.integer], offsets: Offsets, width: int) -> NDArray[np.int32]:
    """Pad lists on the left with the padding id to ``width`` positions; int32 (row, position).

    Example:
        >>> pad_left(np.array([5, 6, 7]), np.array([0, 2, 2, 3]), 3).tolist()
        [[0, 5, 6], [0, 0, 0], [0, 0, 7]]
    """
    lengths = np.diff(offsets)
    padded = np.full((len(lengths), width), PADDING_ID, dtype=np.int32)
    padded[np.arange(width) >= width - lengths[:, None]] = values
    return padded


def _split_parquet_lists(
    rows: RawRows, column: str, cells: pa.Array, max_length: int, blanks: Collection[str]
) -> CellLists:
    if pa.types.is_null(cells.type):  # the type that writers give a column without a single list
        cells = cells.cast(pa.list_(pa.string()))
    if not _is_list(cells.type):
        kind = _plain(cells.type)
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        advice = "set separator to the character between elements" if is_text else "try kind: categorical"
        raise DataError(f"{rows.file}, column {column!r} must hold lists, but its type is {kind}; {advice}")
    ends = np.cumsum(pc.list_value_length(cells).fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), ends])
    places, kept = _newest(offsets, max_length)
    flat = pc.list_flatten(cells)
    if pa.types.is_nested(flat.type) or pa.types.is_binary(flat.type) or pa.types.is_large_binary(flat.type):
        raise DataError(
            f"{rows.file}, column {column!r} must hold lists of texts or numbers, but its type is {cells.type}; "
            "leave the column out of data.fields, or write its elements as text"
        )
    if len(places) < len(flat):
        flat = flat.take(pa.array(places))
    encoded = flat if pa.types.is_dictionary(flat.type) else flat.dictionary_encode()
    values = pl.Series(column, as_text_array(rows, column, encoded.dictionary), dtype=pl.String)
    return CellLists(_with_nulls_as_blank(values, encoded.indices, blanks), kept)


def _split_texts(texts: CellTexts, separator: str, max_length: int, blanks: Collection[str]) -> CellLists:
    """Split each distinct text once, then assign its elements to each row that holds it."""
    split = texts.values.str.split(separator).list.tail(max_length)
    lengths = split.list.len().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    encoded = split.explode().to_arrow().dictionary_encode()
    elements = with_blanks(pl.Series(encoded.dictionary, dtype=pl.String), blanks)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    places, offsets = _concatenate_runs(starts[texts.codes], lengths[texts.codes])
    return CellLists(CellTexts(elements, codes[places]), offsets)


def _newest(offsets: Offsets, max_length: int) -> tuple[NDArray[np.int64], Offsets]:
    """Find the indices of the last ``max_length`` elements of each list, and the new offsets."""
    lengths = np.minimum(np.diff(offsets), max_length)
    return _concatenate_runs(offsets[1:] - lengths, lengths)


def _concatenate_runs(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], Offsets]:
    """Concatenate the indices of runs that begin at ``starts``; return them and the offsets of the runs."""
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])
    places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    return places, offsets


def _with_nulls_as_blank(values: pl.Series, indices: pa.Array, blanks: Collection[str]) -> CellTexts:
    codes = indices.cast(pa.int64())
    if codes.null_count:
        codes = codes.fill_null(len(values))
        values = values.extend(pl.Series([BLANK], dtype=pl.String))
    return CellTexts(with_blanks(values, blanks), codes.to_numpy(zero_copy_only=False))


def _is_list(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values: CSV columns are read as dictionaries of texts."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
