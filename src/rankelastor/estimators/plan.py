"""From tables to a recipe: the recipe that the command line would run on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.drafting.draft import Draft, written
from rankelastor.drafting.infer import infer
from rankelastor.estimators.field_table import FieldTable
from rankelastor.recipes.load import recipe_from_values, with_overrides
from rankelastor.recipes.recipe import Recipe

_NAME = "click-ranker"
LOG, TRAIN, VALID = "log.parquet", "train.parquet", "valid.parquet"
LEAST_ROWS = 5
"""Fewer than a recipe of the command line needs, since folds and tests of scikit-learn are small."""
_SAMPLE_ROWS = 200_000
"""Rows from which settings are inferred, as ``rankelastor init`` takes them."""


@dataclass(frozen=True)
class Rows:
    """The rows of a fit or of an evaluation.

    Attributes:
        table: the columns, with that of the label.
        label: name of the label column.
        positive: the value that counts as 1; None if the column holds 0 and 1, or has to be looked at.
        weight: name of the column of weights; None if rows have none.
        group: name of the column whose rows are ranked together; None if there is none, or it has to be looked for.
        classes: the two classes, that of label 1 last.
        beside: columns that stand beside the features: weights, and a group that is no column of the table.
    """

    table: pa.Table
    label: str
    positive: object
    weight: str | None
    group: str | None
    classes: NDArray[Any]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choices:
    """What a user of the estimator chose; None leaves it to the library.

    Attributes:
        model: kind of the model.
        fields: what the user says of columns, see ``FieldTable.of``.
        short: values of settings by path, where they are not None.
        settings: values of settings by path, which come last.
        validation_fraction: share of the rows that are held out to stop by.
        seed: seed of the split and of the training.
        members: number of models with seeds one after the other, whose mean is taken.
    """

    model: str
    fields: Mapping[str, object]
    short: Mapping[str, object]
    settings: Mapping[str, object]
    validation_fraction: float
    seed: int
    members: int = 1


def draft_of(rows: Rows) -> Draft:
    """Infer settings from the rows, without the columns that stand beside the features."""
    table = rows.table.drop_columns(list(rows.beside)) if rows.beside else rows.table
    positive = None if rows.positive is None else str(rows.positive)
    return infer(
        table.slice(0, _SAMPLE_ROWS),
        label=rows.label,
        positive=positive,
        num_rows=table.num_rows,
        least_rows=LEAST_ROWS,
    )


def write_rows(rows: Rows, held_out: Rows | None, folder: Path) -> dict[str, Any]:
    """Write the rows as Parquet into a folder; return ``data.files`` of the recipe."""
    if held_out is None:
        pq.write_table(rows.table, folder / LOG, compression="zstd")
        return {"folder": str(folder), "all": LOG}
    pq.write_table(rows.table, folder / TRAIN, compression="zstd")
    pq.write_table(held_out.table.select(rows.table.column_names), folder / VALID, compression="zstd")
    return {"folder": str(folder), "train": TRAIN, "valid": VALID}


def recipe_of(
    draft: Draft, rows: Rows, fields: FieldTable, choices: Choices, *, files: Mapping[str, Any], prepared: Path
) -> Recipe:
    """Make the recipe.

    Raises:
        SettingsError: a setting is wrong; the message names its path.
    """
    data: dict[str, Any] = {
        "prepared": str(prepared),
        "files": dict(files),
        "label": draft.label.value.model_dump(mode="json"),
        "fields": _with_group(fields.settings, rows),
    }
    if "all" in files:
        data["split"] = _split(written(draft.split.value), choices)
    if draft.blanks.value:
        data["csv"] = {"blanks": list(draft.blanks.value)}
    if rows.weight is not None:
        data["weight"] = rows.weight
    recipe = recipe_from_values(
        {
            "name": _NAME,
            "data": data,
            "model": {"kind": choices.model},
            "training": {"seed": choices.seed},
            "version": 2,
        },
        source="ClickRanker",
    )
    changes = {path: value for path, value in choices.short.items() if value is not None} | dict(choices.settings)
    return with_overrides(recipe, changes) if changes else recipe


def _with_group(fields: list[dict[str, Any]], rows: Rows) -> list[dict[str, Any]]:
    if rows.group is None:
        return fields
    return [*(field for field in fields if field["kind"] != "group"), {"kind": "group", "column": rows.group}]


def _split(values: dict[str, Any], choices: Choices) -> dict[str, Any]:
    """Take the draft's kind of split, without a test split: the user keeps rows of his own for that."""
    chosen = values | {"valid": choices.validation_fraction, "test": 0.0}
    return chosen | {"seed": choices.seed} if chosen["kind"] == "random" else chosen


def seed_of(random_state: object) -> int:
    """Return the seed of what scikit-learn calls a random state.

    Example:
        >>> seed_of(None), seed_of(7)
        (1, 7)
    """
    if random_state is None:
        return 1
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    return int(random_state)  # type: ignore[call-overload, no-any-return]
