"""Parsed cells of one column, the common form between parsing and encoding: numbers, codes or lists of codes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.lists import Offsets
from rankelastor.data.interner import Interner
from rankelastor.data.raw.rows import RawRows


@dataclass(frozen=True)
class Numbering:
    """A mapping from texts to integers: provisional codes while preparing, final ids while serving.

    ``once_per_text`` says that repeated texts should be reduced to distinct ones first, because a look-up is slow.
    """

    of: Callable[[pl.Series], NDArray[Any]]
    once_per_text: bool

    @classmethod
    def provisional(cls, interner: Interner) -> Self:
        """Number texts by a growing dictionary, which is as fast per row as finding the distinct texts."""
        return cls(interner.codes, once_per_text=False)

    @classmethod
    def none(cls) -> Self:
        """Refuse to number any text: for kinds without a vocabulary."""

        def refuse(_: pl.Series) -> NDArray[Any]:
            raise AssertionError("a kind without a vocabulary numbers no texts")

        return cls(refuse, once_per_text=True)


@dataclass(frozen=True)
class Source:
    """Raw rows to parse, the texts that mean blank, and the numbering of texts."""

    rows: RawRows
    blanks: Collection[str]
    numbering: Numbering


@dataclass(frozen=True)
class Cells:
    """The cells of one column: ``values`` per row, or, where there are ``offsets``, per element of the rows' lists.

    Row i of a list column holds ``values[offsets[i]:offsets[i + 1]]``.

    Example:
        >>> cells = Cells(np.array([4, 0, 2], dtype=np.uint32), np.array([0, 2, 3]))
        >>> cells.select(np.array([True, False])).values.tolist()
        [4, 0]
    """

    values: NDArray[Any]
    offsets: Offsets | None = None

    def select(self, mask: NDArray[np.bool_]) -> Cells:
        """Keep the rows of ``mask``, bool (row,)."""
        if mask.all():
            return self
        if self.offsets is None:
            return Cells(self.values[mask])
        lengths = np.diff(self.offsets)
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths[mask], dtype=np.int64)])
        return Cells(self.values[np.repeat(mask, lengths)], offsets)

    def translate(self, id_of_code: NDArray[np.int32]) -> Cells:
        """Replace each provisional code by its final id."""
        return Cells(id_of_code[self.values], self.offsets)

    def to_arrow(self) -> pa.Array:
        """Return the cells as an Arrow array, as they are staged on disk."""
        if self.offsets is None:
            return pa.array(self.values)
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), pa.array(self.values))

    @classmethod
    def from_arrow(cls, column: pa.Array) -> Self:
        """View what ``to_arrow`` returned, without a copy."""
        if not pa.types.is_list(column.type):
            return cls(column.to_numpy(zero_copy_only=True))
        return cls(column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True))
