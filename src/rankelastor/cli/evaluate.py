"""`rankelastor evaluate`: compute the metrics of a run."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from rankelastor.cli.arguments import RunPath
from rankelastor.cli.console import console


class Split(StrEnum):
    """Names of the splits, as values of an option."""

    train = "train"
    valid = "valid"
    test = "test"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate", epilog="Example: rankelastor evaluate runs/frappe-rankelastor --split test")(evaluate)


def evaluate(
    run: RunPath,
    split: Annotated[Split, typer.Option("--split", help="The split to score.")] = Split.test,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Score a split of the prepared data with the best weights of a run and print the metrics of each task.

    Also shows the share of values that are unseen in training, and the AUC of the rows that contain such values.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.tables import metrics_view, unseen_view
    from rankelastor.evaluation.evaluate import evaluate_with_unseen
    from rankelastor.execution.allocator import keep_large_blocks

    keep_large_blocks()
    with Bar() as bar:
        evaluated = evaluate_with_unseen(run, split=split.value, progress=bar)
    metrics = evaluated.metrics.as_dict()
    if as_json:
        alarms = [alarm.as_dict() for alarm in evaluated.alarms]
        unseen = {split.value: evaluated.unseen.as_dict()}
        typer.echo(json.dumps({split.value: metrics, "unseen": unseen, "alarms": alarms}, indent=2))
    else:
        console.print(metrics_view({split.value: metrics}))
        console.print(unseen_view(evaluated.unseen.as_dict()))
