"""`rankelastor explain`: which fields a ranker uses, and what each contributed to a row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from rankelastor.cli.arguments import AsJson, PreparedPath, RunPath, find_run
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.evaluate import Split
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankelastor.explanations.importance import Importance, Loss
    from rankelastor.explanations.row import ExplainedRow


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("explain", epilog="Example: rankelastor explain model.rank --on labelled.csv")(explain)


def explain(  # noqa: PLR0917 - typer passes keyword arguments
    run: RunPath,
    split: Annotated[
        Split, typer.Option("--split", help="The split of the prepared data whose rows are used.")
    ] = Split.test,
    on: Annotated[
        Path | None,
        typer.Option("--on", metavar="FILE", help="Rows instead of a split, labelled but for --row."),
    ] = None,
    prepared: PreparedPath = None,
    rows: Annotated[int, typer.Option("--rows", min=2, help="Most rows, from the beginning.")] = 10_000,
    repeats: Annotated[int, typer.Option("--repeats", min=2, help="Draws of rows, for the intervals.")] = 5,
    row: Annotated[
        int | None, typer.Option("--row", min=1, help="Explain the row with this number instead, counted from 1.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the importances into an HTML page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what AUC and logloss lose when a column takes the values of other rows; or explain one row.

    Columns that stand for each other share their importance, and neither loses much alone.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_work
    from rankelastor.explanations.importance import importance
    from rankelastor.explanations.plot import require_page, write_plot
    from rankelastor.explanations.row import explain_row

    begin_to_work()
    place = find_run(run)
    if row is not None:
        if plot is not None:
            raise SettingsError("--plot draws the importances, but --row was given too; remove one")
        explained = explain_row(place, row, split=split.value, on=on, prepared=prepared)
        if as_json:
            print_json(explained.as_dict())
        else:
            print_words(f"row {row}: probability {explained.probability:.6f}")
            console.print(_row_table(explained))
        return
    if plot is not None:
        require_page(plot)
    with Bar() as bar:
        found = importance(
            place, split=split.value, on=on, prepared=prepared, num_rows=rows, repeats=repeats, progress=bar
        )
    if plot is not None:
        write_plot(found, plot, title=place.name)
    if as_json:
        print_json([each.as_dict() for each in found])
    else:
        console.print(_importance_table(found))


def _importance_table(found: Sequence[Importance]) -> FittedTable:
    table = FittedTable("column", "AUC lost", "95 % from", "to", "logloss gained", "95 % from", "to")
    for each in found:
        table.add_row(Text(each.column), *_cells(each.auc), *_cells(each.logloss))
    return table


def _cells(loss: Loss) -> list[str]:
    values = (loss.mean, loss.low, loss.high)
    return ["" if math.isnan(value) else f"{value:.6f}" for value in values]


def _row_table(explained: ExplainedRow) -> FittedTable:
    table = FittedTable("column", "change of the logit")
    for each in explained.contributions:
        table.add_row(Text(each.column), f"{each.change:+.6f}")
    return table
