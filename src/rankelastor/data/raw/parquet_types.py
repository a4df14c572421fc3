"""Check that the files of typed columns of one data set agree on the kind of each column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import pyarrow as pa

from rankelastor.data.raw.columnar_file import column_types
from rankelastor.data.raw.rows import is_columnar
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath

_NOTHING = "nothing"
_KINDS: tuple[tuple[str, Callable[[pa.DataType], bool]], ...] = (
    (_NOTHING, pa.types.is_null),
    ("text", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)),
    ("truth", pa.types.is_boolean),
    ("number", lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)),
    ("date", pa.types.is_date),
    ("timestamp", pa.types.is_timestamp),
    ("time of day", pa.types.is_time),
    ("duration", pa.types.is_duration),
)


def require_same_kinds(files: Iterable[AnyPath], columns: Collection[str], numbers: Collection[str] = ()) -> None:
    """Raise unless the files of typed columns (Parquet, Arrow IPC, ORC) agree on the kind of each of ``columns``.

    Integers, floats and decimals of any width are one kind, also in lists, since one number is one value; so are the
    units of timestamps. Text may be dictionary-encoded; a column of nulls matches every kind, and lists that are empty
    or hold only nulls match every kind of list. In the columns ``numbers``, which are read only as numbers, truth
    values are numbers too.

    Raises:
        DataError: the kind of a column changes, or a file cannot be read; the message names file, column and types.
    """
    first: dict[str, tuple[AnyPath, pa.DataType]] = {}
    for file in filter(is_columnar, files):
        for name, given in column_types(file, columns).items():
            kind = kind_of(given, number=name in numbers)
            if kind == _NOTHING:
                continue
            other, expected = first.setdefault(name, (file, given))
            known = kind_of(expected, number=name in numbers)
            if _leaves_open(known, kind):
                first[name] = (file, given)
            elif kind != known and not _leaves_open(kind, known):
                raise DataError(
                    f"{file}, column {name!r} must have a type like {expected}, as in {other}, "
                    f"but its type is {given}; write all files with one schema"
                )


def _leaves_open(kind: str, other: str) -> bool:
    """Tell whether ``kind`` is nulls only, or lists of nulls only, and ``other`` a matching kind with values."""
    return kind != other and kind.endswith(_NOTHING) and other.startswith(kind.removesuffix(_NOTHING))


def kind_of(column_type: pa.DataType, *, number: bool = False) -> str:
    """Name the kind of values of a column.

    Example:
        >>> kind_of(pa.int8()) == kind_of(pa.int64()), kind_of(pa.large_list(pa.string()))
        (True, 'list of text')
        >>> kind_of(pa.int8()) == kind_of(pa.float64()), kind_of(pa.bool_()) == kind_of(pa.int8())
        (True, False)
    """
    if pa.types.is_dictionary(column_type):
        return kind_of(column_type.value_type, number=number)
    if pa.types.is_list(column_type) or pa.types.is_large_list(column_type) or pa.types.is_fixed_size_list(column_type):
        return f"list of {kind_of(column_type.value_type)}"
    name = next((name for name, matches in _KINDS if matches(column_type)), str(column_type))
    return "number" if number and name == "truth" else name
