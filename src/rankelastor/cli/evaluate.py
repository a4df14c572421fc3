"""`rankelastor evaluate`: compute the metrics of a run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, RunPatterns, find_runs
from rankelastor.cli.console import console, print_json


class Split(StrEnum):
    """Names of the splits, as values of an option."""

    train = "train"
    valid = "valid"
    test = "test"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate", epilog="Example: rankelastor evaluate runs/frappe-rankelastor --split test")(evaluate)


def evaluate(
    runs: RunPatterns,
    split: Annotated[Split, typer.Option("--split", help="The split to score.")] = Split.test,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="FIELD", help="Also show metrics by value of a field, worst first."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a split of the prepared data with the best weights of runs and print the metrics of each task.

    Also shows intervals of 95 %, the share of values that are unseen in training, and the
    AUC of the rows that contain such values.
    """
    from rankelastor.cli.evaluation_view import evaluation_json, evaluation_view
    from rankelastor.cli.progress import Bar
    from rankelastor.evaluation.evaluate import evaluate_with_unseen
    from rankelastor.execution.allocator import keep_large_blocks

    keep_large_blocks()
    with Bar() as bar:
        evaluated = {run: evaluate_with_unseen(run, split=split.value, by=by, progress=bar) for run in find_runs(runs)}
    if as_json:
        print_json(evaluation_json(evaluated, split=split.value))
    else:
        console.print(evaluation_view(evaluated, split=split.value))
