"""`rankelastor evaluate`: metrics of a run."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from rankelastor.cli.arguments import RunPath
from rankelastor.cli.console import console


class Split(StrEnum):
    """Splits by name, for the option."""

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
    """Score a split of the prepared data with the best weights of a run and print the metrics."""
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.tables import metrics_table
    from rankelastor.training.evaluate import evaluate as evaluate_run

    with Bar() as bar:
        metrics = evaluate_run(run, split=split.value, progress=bar).as_dict()
    if as_json:
        typer.echo(json.dumps({split.value: metrics}, indent=2))
    else:
        console.print(metrics_table({split.value: metrics}))
