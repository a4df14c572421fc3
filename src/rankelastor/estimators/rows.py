"""Put labels, weights and groups, wherever they were given, into the table of a fit or of an evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.cells.labels import LabelSettings, parse_labels
from rankelastor.data.raw.frames import FRAME
from rankelastor.data.raw.rows import RawRows
from rankelastor.drafting.infer import infer
from rankelastor.estimators.plan import LEAST_ROWS, Rows
from rankelastor.estimators.tables import (
    ColumnNames,
    TableError,
    as_table,
    classes_of_column,
    column_of,
    free_name,
    labels_of,
    with_column,
)

_LEAST_OF_EACH = 20
"""Expected number of held-out rows of either label, below which a random split may leave one out."""
_LEAST_TO_SHARE = 2


def rows_of_fit(
    table: pa.Table, y: object, *, label: str | None, positive: object, weight: object, group: object
) -> Rows:
    """Make the rows of a fit.

    Args:
        table: the features, and the label if ``y`` names its column or is None.
        y: labels, the name of their column, or None.
        label: the parameter ``label``, for ``y=None``.
        positive: the value that counts as 1 in a column of labels; None looks at it.
        weight: weights, the name of their column, or None.
        group: groups, the name of their column, or None.

    Raises:
        TableError: labels, weights or groups do not fit the table.
        DataError: no column can be the label.
    """
    name = y if isinstance(y, str) else label if y is None else None
    if y is None or isinstance(y, str):
        if name is not None and name not in table.column_names:
            raise TableError(
                f"the label must be a column of the table, but {name!r} is none of {', '.join(table.column_names)}; y "
                "should be the name of a column, or labels, one per row"
            )
        text = None if positive is None else str(positive)
        chosen = infer(table, label=name, positive=text, least_rows=LEAST_ROWS).label.value
        classes = classes_of_column(table[chosen.column], chosen.positive)
        rows = Rows(table, chosen.column, chosen.positive, None, None, classes)
    else:
        classes, labels = labels_of(y, num_rows=table.num_rows)
        name = free_name(table, "label")
        rows = Rows(with_column(table, name, labels), name, None, None, None, classes)
    return _with_beside(rows, weight, group)


def rows_like(fitted: Rows, table: pa.Table, y: object, *, weight: object = None, group: object = None) -> Rows:
    """Make rows with the label column of a fit, such as those to stop by.

    Raises:
        TableError: labels, weights or groups do not fit the table, or a label is none of the classes.
    """
    if y is not None and not isinstance(y, str):
        is_click = _known_labels(y, table.num_rows, fitted.classes)
        table = with_column(table, fitted.label, pa.array(_values_of_classes(fitted)).take(pa.array(is_click)))
    elif fitted.label not in table.column_names:
        raise TableError(
            f"rows must have the label, but the table has no column {fitted.label!r}; give labels too, as in (X, y)"
        )
    return _with_beside(Rows(table, fitted.label, fitted.positive, None, None, fitted.classes), weight, group)


def held_out_rows(fitted: Rows, eval_set: object) -> Rows:
    """Take the rows to stop by: a table with the label column, or a pair of a table and labels.

    They need no weights and no groups: rows without have weight 1, and a group each.

    Raises:
        TableError: labels do not fit the table.
    """
    table, labels = eval_set if isinstance(eval_set, tuple) else (eval_set, None)
    found = rows_like(fitted, as_table(table), labels)
    for name in fitted.beside:
        if name not in found.table.column_names:
            num_rows = found.table.num_rows
            filler = np.ones(num_rows) if name == fitted.weight else np.arange(num_rows)
            found = replace(found, table=with_column(found.table, name, filler))
    return replace(found, weight=fitted.weight, group=fitted.group, beside=fitted.beside)


def columns_of_fit(table: pa.Table, rows: Rows, *, are_given: bool) -> ColumnNames:
    """Name the columns of the table of a fit without the label, weights and groups."""
    left_out = {rows.label, *rows.beside}
    return ColumnNames(tuple(name for name in table.column_names if name not in left_out), are_given)


def with_both_labels(rows: Rows, *, share: float, seed: int) -> tuple[Rows, Rows | None]:
    """Hold rows of both labels out where a random split of so few rows might leave one label out.

    Args:
        rows: the rows of a fit.
        share: share of the rows to hold out.
        seed: seed of the draws.

    Returns:
        The rows to train on, and those held out; None where a random split will do.
    """
    is_click = labels_as_numbers(rows)
    counts = np.bincount(is_click, minlength=2)
    if counts.min() * share >= _LEAST_OF_EACH or counts.min() < _LEAST_TO_SHARE:
        return rows, None
    draws = np.random.default_rng(seed)
    chosen = [draws.permutation(np.flatnonzero(is_click == label)) for label in (0, 1)]
    held_out = np.sort(np.concatenate([each[: max(1, round(share * len(each)))] for each in chosen]))
    kept = np.setdiff1d(np.arange(len(is_click)), held_out)
    return replace(rows, table=rows.table.take(kept)), replace(rows, table=rows.table.take(held_out))


def labels_as_numbers(rows: Rows) -> NDArray[np.int64]:
    """Return the label of each row as 0 or 1."""
    column = rows.table.select([rows.label]).combine_chunks()
    settings = LabelSettings.model_validate({"column": rows.label, "positive": rows.positive})
    return parse_labels(RawRows(column.to_batches()[0], FRAME), settings).astype(np.int64)


def _known_labels(y: object, num_rows: int, classes: NDArray[Any]) -> NDArray[np.int8]:
    values = column_of(y, num_rows=num_rows, what="labels")
    unknown = ~np.isin(values, classes)
    if unknown.any():
        raise TableError(f"labels must be {classes[0]} or {classes[1]}, but {values[unknown][0]} was given")
    return np.asarray(values == classes[1], dtype=np.int8)


def _values_of_classes(fitted: Rows) -> list[Any]:
    """Return two values of the label column, of which the recipe of the fit reads the first as 0, the second as 1."""
    positive: Any = fitted.positive
    if positive is None:
        return [0, 1]
    if isinstance(positive, bool):
        return [not positive, positive]
    classes = replace(fitted, table=pa.table({fitted.label: pa.array(fitted.classes)}))
    if labels_as_numbers(classes).tolist() == [0, 1]:
        return list(fitted.classes.tolist())
    return [f"not {positive}" if isinstance(positive, str) else positive + 1, positive]


def _with_beside(rows: Rows, weight: object, group: object) -> Rows:
    table, beside = rows.table, []
    names: dict[str, str | None] = {}
    for what, given in (("weight", weight), ("group", group)):
        if given is None or isinstance(given, str):
            if isinstance(given, str) and given not in table.column_names:
                raise TableError(f"the {what} must be a column of the table, but it has no {given!r}")
            names[what] = given
            beside += [given] if isinstance(given, str) and what == "weight" else []
            continue
        name = free_name(table, what)
        values = column_of(given, num_rows=table.num_rows, what=f"{what}s")
        table = with_column(table, name, _checked_weights(values) if what == "weight" else values)
        names[what] = name
        beside.append(name)
    return Rows(table, rows.label, rows.positive, names["weight"], names["group"], rows.classes, beside=tuple(beside))


def _checked_weights(values: NDArray[Any]) -> NDArray[np.float64]:
    try:
        weights = values.astype(np.float64)
    except (TypeError, ValueError):
        raise TableError(f"weights must be numbers, but {values.dtype} was given") from None
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise TableError("weights must be finite numbers, 0 or more, but are not")
    if not weights.any():
        raise TableError("weights must not all be zero, but are; give at least one row a weight")
    return weights
