"""`rankelastor evaluate`: compute the metrics of a run."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import PreparedPath, RunPath
from rankelastor.cli.console import console
from rankelastor.errors import SettingsError


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
    split: Annotated[
        Split | None, typer.Option("--split", help="The split of the prepared data to score.", show_default="test")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on", metavar="FILE", help="Labelled rows to score instead of a split: a file, a folder, or - for stdin."
        ),
    ] = None,
    prepared: PreparedPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Score a split of the prepared data, or a labelled file, with the best weights of a run, and print the metrics.

    Also shows the share of values that are unseen in training, and the AUC of the rows that contain such values.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.standard_streams import or_standard_input
    from rankelastor.cli.tables import metrics_table, unseen_view
    from rankelastor.evaluation.evaluate import evaluate_with_unseen
    from rankelastor.execution.allocator import keep_large_blocks

    if on is not None and (split is not None or prepared is not None):
        other = "--split" if split is not None else "--prepared"
        raise SettingsError(
            f"--on evaluates a file instead of the prepared data, but {other} was given too; remove one"
        )
    name = "on" if on is not None else (split or Split.test).value
    keep_large_blocks()
    with Bar() as bar:
        evaluated = evaluate_with_unseen(
            run,
            split=(split or Split.test).value,
            on=None if on is None else or_standard_input(on),
            prepared=prepared,
            progress=bar,
        )
    metrics = evaluated.metrics.as_dict()
    if as_json:
        typer.echo(json.dumps({name: metrics, "unseen": {name: evaluated.unseen.as_dict()}}, indent=2))
    else:
        console.print(metrics_table({name if on is None else Path(on).name: metrics}))
        console.print(unseen_view(evaluated.unseen.as_dict()))
