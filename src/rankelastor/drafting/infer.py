"""Infer settings from a table: label, split, fields, model and training, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rankelastor.data.kinds.crossed import CrossedField
from rankelastor.data.kinds.group import GroupField
from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.data.split_settings import SplitSettings
from rankelastor.drafting.columns import Surroundings, choose_fields
from rankelastor.drafting.crosses import find_crosses
from rankelastor.drafting.draft import Choice, ColumnChoice, Draft
from rankelastor.drafting.group import find_group
from rankelastor.drafting.label import choose_label, label_of_rows
from rankelastor.drafting.profile import ColumnProfile, profile_table
from rankelastor.drafting.sizes import choose_model, choose_training
from rankelastor.drafting.splits import choose_split, train_rows
from rankelastor.drafting.times import find_time
from rankelastor.errors import DataError

_LEAST_ROWS = 20


def infer(
    table: Any,
    *,
    label: str | None = None,
    positive: str | None = None,
    num_rows: int | None = None,
    least_rows: int = _LEAST_ROWS,
) -> Draft:
    """Infer the settings of an experiment from a table of a click log.

    Args:
        table: an Arrow table, a polars or pandas frame, or anything else that Arrow reads (``__arrow_c_stream__``).
            Texts are looked at as a CSV file's would be: ``"12"`` is a number.
        label: the column to predict; None takes the one column with two values whose name is that of a label.
        positive: the text of the value that counts as 1; None takes the one that looks so.
        num_rows: number of rows of the whole log, if the table is a part of it.
        least_rows: fewest rows from which settings are inferred.

    Returns:
        The draft: every column with its fields or the reason why it is left out, split, model and training.

    Raises:
        DataError: the label cannot be told, has blanks or not two values; there are too few rows, or no column is of
            use.

    Example:
        >>> import polars as pl
        >>> log = pl.DataFrame({"click": [0, 1] * 50, "site": ["a", "b", "c", "d", "b"] * 20, "row": range(100)})
        >>> draft = infer(log)
        >>> draft.label.value.column, [(column.column, column.kinds) for column in draft.columns]
        ('click', [('site', 'categorical'), ('row', 'left out')])
        >>> draft.columns[1].reason
        'different in every row, so nothing can be learned from it'
    """
    arrow = table if isinstance(table, pa.Table) else pa.table(table)
    return infer_from_profiles(
        profile_table(arrow), label=label, positive=positive, num_rows=num_rows, least_rows=least_rows
    )


def infer_from_profiles(
    profiles: Sequence[ColumnProfile],
    *,
    label: str | None,
    positive: str | None,
    num_rows: int | None,
    least_rows: int = _LEAST_ROWS,
) -> Draft:
    """Infer the settings from the profiles of a table's columns; see ``infer``."""
    rows_here = max((profile.num_rows for profile in profiles), default=0)
    if rows_here < least_rows:
        raise DataError(f"a log must have {least_rows} rows or more to draft settings from, but has {rows_here}")
    num_rows = rows_here if num_rows is None else num_rows
    chosen = choose_label(profiles, label=label, positive=positive)
    others = tuple(profile for profile in profiles if profile.name != chosen.value.column)
    target = next(profile for profile in profiles if profile.name == chosen.value.column)
    clicked = label_of_rows(target, chosen.value)
    times = {profile.name: time for profile in others if (time := find_time(profile)) is not None}
    around = Surroundings(others, times, clicked, num_rows)
    split = choose_split([time for time in times.values() if _varies(time.name, others)], others)
    columns = tuple(choose_fields(profile, around) for profile in others)
    columns = _with_group(_with_crosses(columns, others, split.value, clicked), others)
    draft = Draft(
        num_rows=num_rows,
        label=chosen,
        split=split,
        blanks=_blanks(others),
        columns=columns,
        model=choose_model(num_rows, sum(column.kinds not in {"left out", "group"} for column in columns)),
        training=choose_training(num_rows),
    )
    if not any(field for field in draft.fields if not field.names_group):
        reasons = "; ".join(f"{column.column}: {column.reason}" for column in columns)
        raise DataError(f"a log must have a column to learn from besides the label, but has none ({reasons})")
    return draft


def _with_crosses(
    columns: Sequence[ColumnChoice], profiles: Sequence[ColumnProfile], split: SplitSettings, label: NDArray[np.bool_]
) -> tuple[ColumnChoice, ...]:
    """Add a field for each pair of columns that together tell more of the label of the rows of train.

    A column that a history is matched with stays alone: the history tells what the user does with its values.
    """
    rows = train_rows(split, profiles)
    matched = {field.matches for column in columns for field in column.fields if isinstance(field, SequenceField)}
    values = {column.column for column in columns if column.kinds == "categorical"} - matched
    crosses = find_crosses([profile.take(rows) for profile in profiles if profile.name in values], label[rows])
    names = {profile.name for profile in profiles}
    return tuple(
        _crossed(column, [each.other for each in crosses if each.column == column.column], names) for column in columns
    )


def _crossed(column: ColumnChoice, others: Sequence[str], taken: Collection[str]) -> ColumnChoice:
    """Add the fields that cross a column with others."""
    if not others:
        return column
    fields = [CrossedField(kind="crossed", column=column.column, other=other) for other in others]
    fields = [
        field.model_copy(update={"name": f"{field.column}_crossed_with_{field.other}"})
        if {feature.name for feature in field.plan(column.column)} & set(taken)
        else field
        for field in fields
    ]
    reason = f"{column.reason}; the pair with {' or with '.join(others)} tells more than both do alone"
    return ColumnChoice(column.column, (*column.fields, *fields), reason)


def _with_group(columns: Sequence[ColumnChoice], profiles: Sequence[ColumnProfile]) -> tuple[ColumnChoice, ...]:
    """Let the column of users also be the group of gAUC."""
    found = find_group([profile for profile in profiles if profile.name])
    if found is None:
        return tuple(columns)
    group = GroupField.model_validate({"kind": "group", "column": found.name})
    return tuple(
        ColumnChoice(column.column, (*column.fields, group), f"{column.reason}; its rows are ranked together (gAUC)")
        if column.column == found.name
        else column
        for column in columns
    )


def _varies(name: str, profiles: Sequence[ColumnProfile]) -> bool:
    return any(profile.name == name and len(profile.distinct) > 1 for profile in profiles)


def _blanks(profiles: Sequence[ColumnProfile]) -> Choice[tuple[str, ...]]:
    """Choose the texts that mean blank: those that stand among numbers."""
    where = {profile.name: profile.blank_words for profile in profiles if profile.blank_words}
    words = tuple(sorted({word for found in where.values() for word in found}))
    if not words:
        return Choice((), "no other text stands for a blank among numbers")
    return Choice(words, f"{'stand' if len(words) > 1 else 'stands'} among numbers in {', '.join(where)}")
