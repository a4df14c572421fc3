"""From the rows of a fit to a fitted ranker: infer fields, write rows and recipe, train as the command line does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from rankelastor.ensembles.train import train_ensemble
from rankelastor.estimators.field_table import FieldTable
from rankelastor.estimators.fitted import Fitted
from rankelastor.estimators.notebook import NotebookProgress
from rankelastor.estimators.plan import Choices, Rows, draft_of, recipe_of, write_rows
from rankelastor.estimators.rows import with_both_labels
from rankelastor.estimators.stored import Stored
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import load_run
from rankelastor.training.run import train


@dataclass(frozen=True)
class Training:
    """What a fit made.

    Attributes:
        fitted: the ranker.
        fields: what became of each column, and why.
        recipe: the recipe, as it was before data were prepared.
    """

    fitted: Fitted
    fields: FieldTable
    recipe: Recipe


def train_rows(
    rows: Rows,
    held_out: Rows | None,
    choices: Choices,
    stored: Stored,
    *,
    folder: Callable[[], Path],
    progress: NotebookProgress | None,
) -> Training:
    """Train on rows.

    Args:
        rows: the rows.
        held_out: the rows to stop by; None holds some of the rows out.
        choices: what the user chose.
        stored: what is stored beside the run.
        folder: makes the folder for the rows, the prepared data and the run; called once the fields are known.
        progress: shows the progress in a notebook.

    Raises:
        DataError: a column cannot be read, or nothing can be learned from the rows.
        SettingsError: a setting is wrong.
        StorageError: the disk is full, or the folder holds something.
    """
    draft = draft_of(rows)
    fields = FieldTable.of(draft, choices.fields)
    if held_out is None and draft.split.value.kind == "random":
        rows, held_out = with_both_labels(rows, share=choices.validation_fraction, seed=choices.seed)
    place = folder()
    files = write_rows(rows, held_out, place)
    recipe = recipe_of(draft, rows, fields, choices, files=files, prepared=place / "prepared")
    run = _train(recipe, place / "run", members=choices.members, progress=progress)
    stored.write(run)
    return Training(Fitted(load_run(run), stored, replace(rows, table=pa.table({}))), fields, recipe)


def _train(recipe: Recipe, folder: Path, *, members: int, progress: NotebookProgress | None) -> Path:
    if members > 1:
        seed = recipe.training.seed
        train_ensemble(recipe, seeds=range(seed, seed + members), folder=folder, progress=progress)
    else:
        train(recipe, folder=folder, observers=[] if progress is None else [progress], progress=progress)
    return folder
