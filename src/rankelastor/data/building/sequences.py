"""Sequence columns of staged parts: provisional codes of the elements, list after list."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.config.fields import SequenceField
from rankelastor.data.cells.lists import Offsets, cell_lists
from rankelastor.data.cells.texts import BLANK
from rankelastor.data.interner import Interner
from rankelastor.data.raw.rows import RawRows

BLANK_CODE = 0
"""Staged in place of a blank element; other codes are the dictionary's plus one."""


def stage_lists(
    rows: RawRows, column: str, field: SequenceField, interner: Interner, blanks: Collection[str]
) -> pa.ListArray:
    """The lists of a column as codes, each cut to its newest elements.

    Raises:
        DataError: the column holds no such lists.
    """
    lists = cell_lists(rows, column, separator=field.separator, max_length=field.max_length, blanks=blanks)
    values = lists.elements.values
    is_value = (values != BLANK).to_numpy()
    code_of_value = np.full(len(values), BLANK_CODE, dtype=np.uint32)
    code_of_value[is_value] = interner.codes(values.filter(is_value)) + 1
    offsets = pa.array(lists.offsets.astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(code_of_value[lists.elements.codes]))


def view_lists(column: pa.ListArray) -> tuple[NDArray[np.uint32], Offsets]:
    """Codes of all elements and the offsets of the lists, of what ``stage_lists`` gave."""
    return column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True)


def codes_of_rows(codes: NDArray[np.uint32], offsets: Offsets, mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """The dictionary's codes of all elements that are not blank in the rows of ``mask``.

    Example:
        >>> codes_of_rows(np.array([3, 0, 1], dtype=np.uint32), np.array([0, 2, 3]), np.array([True, False])).tolist()
        [2]
    """
    chosen = codes if mask.all() else codes[np.repeat(mask, np.diff(offsets))]
    found: NDArray[np.uint32] = chosen[chosen != BLANK_CODE] - 1
    return found
