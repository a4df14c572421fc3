"""Take tables, arrays and paths as Arrow tables, and labels as classes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning

from rankelastor.data.raw.frames import frame_rows, is_frame
from rankelastor.drafting.log_file import read_log
from rankelastor.errors import DataError

_NUM_CLASSES = 2


class TableError(DataError, ValueError):
    """A table or a label that an estimator was given is wrong; scikit-learn expects a ``ValueError``."""


@dataclass(frozen=True)
class ColumnNames:
    """The columns that an estimator was fitted on.

    Attributes:
        names: their names; ``x0``, ``x1`` ... for an array.
        are_given: whether the table had names, rather than being an array.
    """

    names: tuple[str, ...]
    are_given: bool


def as_table(given: object, *, expected: ColumnNames | None = None) -> pa.Table:
    """Take a frame, a mapping, an array (row, column) or the path of a file as an Arrow table.

    Args:
        given: the table.
        expected: the columns of the fit, by which the columns of an array are named and counted.

    Raises:
        TableError: it is none of them, or an array with other columns than in the fit.
        DataError: a file cannot be read, or a frame holds columns of several types.
    """
    if isinstance(given, str | Path):
        return read_log(given, at_most=2**62).table
    if issparse(given):  # a dictionary of keys is a mapping, too
        raise TableError("a table must be dense, but a sparse matrix was given; try .toarray(), or a frame of columns")
    if is_frame(given):
        return pa.Table.from_batches([rows.table for rows in frame_rows(given)])
    return _table_of_array(given, expected)


def has_names(given: object) -> bool:
    """Tell whether a table has names of columns, rather than being an array."""
    return isinstance(given, str | Path) or is_frame(given)


def _table_of_array(given: object, expected: ColumnNames | None) -> pa.Table:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise TableError(f"a table must have rows and columns, but {error}; try a frame") from None
    if array.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise TableError(
            f"a table must have rows and columns, but an array of {array.ndim} dimensions was given. Reshape your "
            "data: try array.reshape(-1, 1), or a frame"
        )
    if np.iscomplexobj(array):
        raise TableError("a table must hold texts or real numbers, but Complex data not supported; split them first")
    num_columns = array.shape[1]
    if expected is not None and num_columns != len(expected.names):
        raise TableError(
            f"X has {num_columns} features, but ClickRanker is expecting {len(expected.names)} features as input; give "
            "the columns of the fit"
        )
    if not num_columns or not len(array):
        raise TableError(
            f"Found array with {len(array)} sample(s) and {num_columns} feature(s) (shape={array.shape}) while a "
            "minimum of 1 is required; give a table with rows and columns"
        )
    names = [f"x{index}" for index in range(num_columns)] if expected is None else expected.names
    return pa.table({name: _column(array[:, index]) for index, name in enumerate(names)})


def _column(values: NDArray[Any]) -> pa.Array:
    try:
        return pa.array(values.tolist() if values.dtype == object else np.ascontiguousarray(values), from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise TableError(
            f"a column must hold values of one type, each of them a string or a number, but {error}; convert it first"
        ) from None


def labels_of(y: object, *, num_rows: int) -> tuple[NDArray[Any], NDArray[np.int8]]:
    """Take labels as two classes and a 0 or 1 per row: the greater class is 1.

    Raises:
        TableError: they are no column of ``num_rows`` labels, or have not two different values.

    Example:
        >>> classes, labels = labels_of(["no", "yes", "no"], num_rows=3)
        >>> classes.tolist(), labels.tolist()
        (['no', 'yes'], [0, 1, 0])
    """
    values = column_of(y, num_rows=num_rows, what="labels")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise TableError("labels must be known, but y contains NaN or infinity; leave those rows out")
    if values.dtype.kind == "f" and (values != values.round()).any():
        raise TableError("Unknown label type: continuous; a click ranker needs two classes; try y > threshold")
    try:
        classes, labels = np.unique(values, return_inverse=True)
    except TypeError:
        raise TableError("labels must be values of one type, but are of several; try y.astype(str)") from None
    if len(classes) != _NUM_CLASSES:
        shown = ", ".join(map(str, classes[:5].tolist()))
        only = "Only binary classification is supported. The type of the target is multiclass; "
        count = f"{len(classes)} class{'es' * (len(classes) != 1)}"
        raise TableError(
            f"labels must have two different values, but have {count}: {shown}; "
            f"{only if len(classes) > _NUM_CLASSES else ''}try y == VALUE"
        )
    return classes, labels.astype(np.int8)


def column_of(values: object, *, num_rows: int, what: str) -> NDArray[Any]:
    """Take a column of a frame or any sequence as an array with one value per row.

    Raises:
        TableError: it has another number of values.
    """
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.ndim == 2 and array.shape[1] == 1:  # noqa: PLR2004 - a frame of one column
        said = f"A column-vector y was passed when a 1d array was expected, as {what}; try .ravel()"
        warnings.warn(said, DataConversionWarning, stacklevel=2)
        array = array[:, 0]
    if array.ndim != 1 or len(array) != num_rows:
        raise TableError(
            f"{what} must be one value per row, of {num_rows} rows, but the shape {array.shape} was given; "
            "inconsistent numbers of samples"
        )
    return array


def classes_of_column(values: pa.ChunkedArray, positive: object) -> NDArray[Any]:
    """Return the two classes of a label column, the one that counts as 1 last; 0 and 1 where there are more values."""
    found = pl.Series(values.drop_null()).unique().to_list()
    if len(found) != _NUM_CLASSES:
        return np.array([0, 1])
    ones = {str(positive).lower()} if positive is not None else {"1", "1.0", "true"}
    last = next((value for value in found if str(value).lower() in ones), max(found))
    first = next(value for value in found if value != last)
    return np.array([first, last])


def with_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray | NDArray[Any]) -> pa.Table:
    """Add a column to a table, in place of those of its name."""
    kept = table.drop_columns([name]) if name in table.column_names else table
    return kept.append_column(name, values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values))


def free_name(table: pa.Table, wanted: str) -> str:
    """Find a name that no column of a table has.

    Example:
        >>> free_name(pa.table({"label": [1]}), "label")
        'label_'
    """
    while wanted in table.column_names:
        wanted += "_"
    return wanted


def require_fitted_columns(table: pa.Table, expected: ColumnNames) -> None:
    """Check that the columns of a fit are there.

    Raises:
        TableError: one is missing.
    """
    missing = [name for name in expected.names if name not in table.column_names]
    if missing:
        raise TableError(
            f"a table must have the columns of the fit, but {', '.join(missing)} is missing; it has "
            f"{', '.join(table.column_names)}"
        )
