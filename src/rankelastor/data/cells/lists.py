"""Parse the cells of one column into lists of texts: Parquet lists, or texts with a separator between elements."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rankelastor.data.cells.list_texts import read_list
from rankelastor.data.cells.spelling import SPACES, Spelling
from rankelastor.data.cells.texts import CellTexts, cell_texts, encode_distinct, spell_all, spelled
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError
from rankelastor.schema import PADDING_ID

JSON = "json"
"""The separator that reads texts as JSON or Python lists."""

_NO_LIST = 'write lists as in [1, 2] or ["a", null], without lists inside'
_BRACKETS = "try separator: json, or text: as_written if the brackets belong to the elements"
_NUMPY = re.compile(r"\s*\[[\s\d.eE+-]+\]\s*")

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
    rows: RawRows,
    column: str,
    *,
    separator: str | None,
    max_length: int,
    blanks: Collection[str],
    spelling: Spelling = "canonical",
) -> CellLists:
    """Parse the lists of a column, each cut to its last ``max_length`` elements.

    Args:
        rows: raw rows.
        column: the column to read.
        separator: the character between elements; ``json`` if the texts are JSON or Python lists; None if the column
            holds Parquet lists.
        max_length: number of newest elements to keep.
        blanks: texts that mean blank, for an element and for a whole cell.
        spelling: how elements are spelled; with ``canonical``, spaces around separated elements are removed.

    Example:
        >>> from pathlib import Path
        >>> rows = RawRows(pa.RecordBatch.from_pydict({"seen": ["a^b^c", "", "b "]}), Path("log.csv"))
        >>> lists = cell_lists(rows, "seen", separator="^", max_length=2, blanks=[])
        >>> lists.elements.values.gather(lists.elements.codes).to_list(), lists.offsets.tolist()
        (['b', 'c', '', 'b'], [0, 2, 3, 4])

    Raises:
        DataError: the column holds lists but a separator was given, or no lists and none was given; its elements are
            lists, structures or bytes; or a text looks like a list but a character separates, or the other way round.
    """
    cells = rows.column(column)
    if separator is None:
        return _split_parquet_lists(rows, column, cells, max_length, blanks=blanks, spelling=spelling)
    if _is_list(cells.type):
        raise DataError(
            f"{rows.file}, column {column!r} must hold texts with the separator {separator!r}, but its type is "
            f"{cells.type}; leave separator out"
        )
    texts = cell_texts(rows, column, blanks, "version_1" if spelling == "version_1" else "as_written")
    split = _split_texts(rows, column, texts, separator=separator, max_length=max_length, spelling=spelling)
    return _lists_of_texts(texts, split, blanks, spelling, strip=spelling == "canonical" and separator != JSON)


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
    rows: RawRows, column: str, cells: pa.Array, max_length: int, *, blanks: Collection[str], spelling: Spelling
) -> CellLists:
    if pa.types.is_null(cells.type):  # the type that writers give a column without a single list
        cells = cells.cast(pa.list_(pa.string()))
    if not _is_list(cells.type):
        kind = _plain(cells.type)
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        advice = "set separator to the character between elements, or to json" if is_text else "try kind: categorical"
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
    encoded = encode_distinct(rows, column, flat)

    def row_of(code: int) -> int:
        place = int(pc.index(encoded.indices, pa.scalar(code, encoded.indices.type)).as_py())
        return -1 if place < 0 else int(np.searchsorted(kept, place, side="right")) - 1

    return CellLists(spelled(rows, column, encoded, blanks=blanks, spelling=spelling, row_of=row_of), kept)


def _split_texts(
    rows: RawRows, column: str, texts: CellTexts, *, separator: str, max_length: int, spelling: Spelling
) -> pl.Series:
    """Split each distinct text into its newest elements; a blank has one, which is blank."""
    if separator == JSON:
        split = pl.Series([read_list(text) for text in texts.values], dtype=pl.List(pl.String))
        rule = "must hold a JSON or Python list of texts and numbers"
        _refuse(rows, column, texts, split.is_null(), rule=rule, advice=_NO_LIST)
        return split.list.tail(max_length)
    if spelling != "canonical":
        return texts.values.str.split(separator).list.tail(max_length)
    rule = f"must hold elements with {separator!r} between them, since it is not a list in brackets"
    _refuse(rows, column, texts, _are_lists(texts.values), rule=rule, advice=_BRACKETS)
    return texts.values.str.split(separator).list.tail(max_length)


def _lists_of_texts(
    texts: CellTexts, split: pl.Series, blanks: Collection[str], spelling: Spelling, *, strip: bool
) -> CellLists:
    """Spell each distinct element once, then assign the elements of each text to each row that holds it."""
    lengths = split.list.len().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    encoded = split.explode().to_arrow().cast(pa.large_string()).dictionary_encode()
    distinct = encoded.dictionary
    if strip:
        distinct = pc.utf8_trim(distinct, characters=SPACES)
    elements = spell_all(distinct, blanks, spelling)
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    places, offsets = _concatenate_runs(starts[texts.codes], lengths[texts.codes])
    return CellLists(CellTexts(elements, codes[places]), offsets)


def _are_lists(texts: pl.Series) -> pl.Series:
    """Tell which texts are lists as JSON, Python or NumPy write them, ``[1, 2]``; ``[draft]`` is a text."""
    found = texts.str.contains(r"(?s)^\s*\[.*\]\s*$")
    for place in found.arg_true():
        text = texts[place]
        found[place] = read_list(text) is not None or _NUMPY.fullmatch(text) is not None
    return found


def _refuse(rows: RawRows, column: str, texts: CellTexts, wrong: pl.Series, *, rule: str, advice: str) -> None:
    """Raise a ``DataError`` that names the first row whose text is ``wrong``, if any."""
    if not wrong.any():
        return
    index = int(wrong.to_numpy()[texts.codes].argmax())
    given = texts.values[int(texts.codes[index])]
    raise DataError(
        f"{rows.file}, column {column!r}, row {rows.row_number(index)} {rule}, but {given[:60]!r} was given; {advice}"
    )


def _newest(offsets: Offsets, max_length: int) -> tuple[NDArray[np.int64], Offsets]:
    """Find the indices of the last ``max_length`` elements of each list, and the new offsets."""
    lengths = np.minimum(np.diff(offsets), max_length)
    return _concatenate_runs(offsets[1:] - lengths, lengths)


def _concatenate_runs(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], Offsets]:
    """Concatenate the indices of runs that begin at ``starts``; return them and the offsets of the runs."""
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])
    places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    return places, offsets


def _is_list(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values: CSV columns are read as dictionaries of texts."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
