"""What the cells of each column look like: distinct texts, blanks, numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, cell_texts
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError

BLANK_WORDS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "\\N", "?", "-", "--", "missing")
"""Texts that people write for a blank among numbers."""

_INTEGER = r"^[+-]?\d+(\.0+)?$"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class ColumnProfile:
    """The cells of one column, read as texts.

    ``cells`` holds the text of each row, ``""`` for a blank. A column of lists has one text a row, too, and ``lists``
    holds its elements; ``cells`` is None where the cells are neither (structures, bytes).
    """

    name: str
    type: pa.DataType
    cells: pl.Series | None
    lists: pl.Series | None = None

    def take(self, rows: NDArray[np.int64]) -> ColumnProfile:
        """Profile some of the rows, given by their index."""
        cells, lists = (None if part is None else part.gather(rows) for part in (self.cells, self.lists))
        return ColumnProfile(self.name, self.type, cells, lists)

    @cached_property
    def distinct(self) -> pl.Series:
        """The distinct texts without blanks, the most frequent first."""
        return self._counted["cells"]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many rows hold each of ``distinct``."""
        counts: NDArray[np.int64] = self._counted["count"].to_numpy().astype(np.int64)
        return counts

    @cached_property
    def num_rows(self) -> int:
        """Number of rows."""
        return 0 if self.cells is None else len(self.cells)

    @cached_property
    def num_blank(self) -> int:
        """Number of blank cells."""
        return self.num_rows - int(self.counts.sum())

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of the name in lower case, without a plural s: ``seenItems_id`` has seen, item and id."""
        return frozenset(words_of(self.name))

    @cached_property
    def blank_words(self) -> tuple[str, ...]:
        """The texts among numbers that mean blank; empty unless all other texts are numbers."""
        other = self.distinct.filter(~self._numbers.is_not_null())
        found = tuple(sorted(set(other) & set(BLANK_WORDS)))
        return found if len(found) == len(other) < len(self.distinct) else ()

    @cached_property
    def numbers(self) -> pl.Series | None:
        """The distinct cells as finite numbers, without ``blank_words``; None if some text is no number."""
        numbers = self._numbers.drop_nulls()
        if not len(numbers) or len(numbers) + len(self.blank_words) < len(self.distinct):
            return None
        return numbers

    @cached_property
    def number_counts(self) -> NDArray[np.int64]:
        """How many rows hold each of ``numbers``."""
        counts: NDArray[np.int64] = self.counts[self._numbers.is_not_null().to_numpy()]
        return counts

    @cached_property
    def is_integer(self) -> bool:
        """Whether all numbers are written as integers, with zeros behind a point at most."""
        return self.numbers is not None and bool(
            self.distinct.filter(~self.distinct.is_in(self.blank_words)).str.contains(_INTEGER).all()
        )

    @cached_property
    def _numbers(self) -> pl.Series:
        numbers = self.distinct.str.strip_chars(" \t").cast(pl.Float64, strict=False)
        return numbers.set(~numbers.is_finite().fill_null(value=False), None)

    @cached_property
    def _counted(self) -> pl.DataFrame:
        cells = pl.Series("cells", [], dtype=pl.String) if self.cells is None else self.cells.alias("cells")
        frame = pl.DataFrame({"cells": cells}).filter(pl.col("cells") != BLANK)
        counted = frame.group_by("cells").agg(pl.len().alias("count"))
        return counted.sort(["count", "cells"], descending=[True, False])


def profile_table(table: pa.Table) -> tuple[ColumnProfile, ...]:
    """Profile each column of a table, in order.

    Example:
        >>> (column,) = profile_table(pa.table({"age": ["7", "NA", "", "7"]}))
        >>> column.distinct.to_list(), column.num_blank, column.numbers.to_list(), column.blank_words
        (['7', 'NA'], 1, [7.0], ('NA',))
    """
    batches = table.combine_chunks().to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    rows = RawRows(batch, Path("table"))
    return tuple(_profile(rows, name) for name in rows.names)


def words_of(name: str) -> Iterator[str]:
    """Yield the words of a name in lower case, without a plural s.

    Example:
        >>> list(words_of("seenItems_id")), list(words_of("userid"))
        (['seen', 'item', 'id'], ['user', 'id'])
    """
    for word in _WORDS.findall(name):
        lower = word.lower()
        if len(lower) > 3 and lower.endswith("id"):  # noqa: PLR2004 - "userid", but not "aid"
            yield from (lower[:-2], "id")
        else:
            yield lower[:-1] if len(lower) > 3 and lower.endswith("s") else lower  # noqa: PLR2004 - "ids", but not "gas"


def is_list(kind: pa.DataType) -> bool:
    """Tell whether a column holds Arrow lists."""
    return any(is_kind(kind) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds Arrow texts, dictionary-encoded or not."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _profile(rows: RawRows, name: str) -> ColumnProfile:
    kind = rows.column(name).type
    if is_list(kind):
        return _profile_lists(rows, name, kind)
    try:
        texts = cell_texts(rows, name, (), are_ids=False)
    except DataError:  # structures and bytes, which no field reads
        return ColumnProfile(name, kind, None)
    return ColumnProfile(name, kind, texts.values.gather(texts.codes))


def _profile_lists(rows: RawRows, name: str, kind: pa.DataType) -> ColumnProfile:
    if pa.types.is_nested(kind.value_type) or pa.types.is_binary(kind.value_type):
        return ColumnProfile(name, kind, None)
    lists = pl.Series(name, rows.column(name)).cast(pl.List(pl.String))
    return ColumnProfile(name, kind, lists.list.join("\0", ignore_nulls=True).fill_null(BLANK), lists)
