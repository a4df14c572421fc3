"""Check that texts of Parquet files are UTF-8, as the format requires; writers and Arrow's reader do not check it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath


def require_utf8(batch: pa.RecordBatch, file: AnyPath, first_row: int) -> None:
    """Raise unless all texts are UTF-8, also those in lists and dictionaries.

    Args:
        batch: rows as Arrow reads them.
        file: the file of the rows, for the message.
        first_row: the number in the file of the first of the rows.

    Raises:
        DataError: a text is not UTF-8; the message names file, column and row.
    """
    for name, cells in zip(batch.schema.names, batch.columns, strict=True):
        if _holds_text(cells.type) and not _is_valid(cells):
            wrong = (index for index in range(len(cells)) if not _is_valid(_texts(cells.slice(index, 1))))
            # A dictionary may hold an invalid text that none of these rows uses.
            index = next(wrong, None)
            place = f"rows from {first_row} on" if index is None else f"row {first_row + index}"
            raise DataError(
                f"{file}, column {name!r}, {place} must hold text in UTF-8, but other bytes were given; "
                "decode the text as what it is when the file is written"
            )


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind) or _is_list(kind):
        return _holds_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_valid(cells: pa.Array) -> bool:
    try:
        cells.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _texts(cells: pa.Array) -> pa.Array:
    """Extract the texts that the cells use, without unused parts of a dictionary or of sliced lists."""
    if _is_list(cells.type):
        return _texts(pc.list_flatten(cells))
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _is_list(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))
