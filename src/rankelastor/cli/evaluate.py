"""`rankelastor evaluate`: compute the metrics of a run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, PreparedPath, RunPatterns, find_runs
from rankelastor.cli.console import console, print_json
from rankelastor.errors import SettingsError


class Split(StrEnum):
    """Names of the splits, as values of an option."""

    train = "train"
    valid = "valid"
    test = "test"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("evaluate", epilog="Example: rankelastor evaluate runs/frappe-rankelastor --split test")(evaluate)


def evaluate(  # noqa: PLR0917 - typer passes keyword arguments
    runs: RunPatterns,
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
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="FIELD", help="Also show metrics by value of a field, worst first."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a split of the prepared data, or a labelled file, with the best weights of runs, and print the metrics.

    Also shows intervals of 95 %, the share of values that are unseen in training, and the
    AUC of the rows that contain such values.
    """
    from rankelastor.cli.evaluation_view import evaluation_json, evaluation_view
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.standard_streams import STANDARD, or_standard_input
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.evaluation.evaluate import evaluate_with_unseen

    if on is not None and (split is not None or prepared is not None):
        other = "--split" if split is not None else "--prepared"
        raise SettingsError(
            f"--on evaluates a file instead of the prepared data, but {other} was given too; remove one"
        )
    if on is not None and by is not None:
        raise SettingsError("--by shows the values of a split of the prepared data, but --on was given too; remove one")
    folders = find_runs(runs)
    if on == STANDARD and len(folders) > 1:
        raise SettingsError(
            f"--on - reads standard input once, for one run, but {len(folders)} runs were given; name a file"
        )
    name = "on" if on is not None else (split or Split.test).value
    begin_to_compute()
    with Bar() as bar:
        evaluated = {
            run: evaluate_with_unseen(
                run,
                split=(split or Split.test).value,
                on=None if on is None else or_standard_input(on),
                prepared=prepared,
                by=by,
                progress=bar,
            )
            for run in folders
        }
    if as_json:
        print_json(evaluation_json(evaluated, split=name))
    else:
        console.print(evaluation_view(evaluated, split=name if on is None else Path(on).name))
