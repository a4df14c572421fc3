"""`rankelastor backtest`: train a recipe day by day, and test each day on the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson, Assignments, RecipePath
from rankelastor.cli.console import console, print_json, print_words

if TYPE_CHECKING:
    from rankelastor.backtesting.record import Arm, DayRecord
    from rankelastor.cli.progress import Bar
    from rankelastor.training.observers import TrainingObserver


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "backtest",
        epilog="Example: rankelastor backtest recipe.yaml --by day  |  "
        "rankelastor backtest recipe.yaml --by time --day-format epoch_seconds --window 7",
    )(backtest)


def backtest(  # noqa: PLR0917 - typer's arguments
    recipe: RecipePath,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help="The column of days: dates, times (their day in UTC counts) or whole numbers.",
        ),
    ],
    day_format: Annotated[
        str | None,
        typer.Option(
            "--day-format",
            metavar="FORMAT",
            help="How times are written in it, as in data.split.format: epoch_seconds, yymmddhh, '%d/%m/%Y'.",
            show_default="ISO, or numbers as they are",
        ),
    ] = None,
    window: Annotated[
        int, typer.Option("--window", metavar="DAYS", min=1, help="Days that the ranker from scratch is trained on.")
    ] = 1,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            "--run",
            metavar="DIR",
            help="The folder: new, or that of the same backtest, which goes on.",
            show_default="backtests/NAME",
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each test day and ranker.")] = False,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Train a recipe on each day of its log, test it on the next day, and go on.

    Two rankers are compared: one is trained from scratch on the last day or days (cold), the other goes on from its
    weights and optimizer of the day before (warm), on vocabularies that took the day in. The table has the metrics of
    each test day and the share of its rows with values that the ranker does not know; backtest.json, backtest.csv and
    report.html in the folder have the same.

    All raw files of the recipe are read as one log, whatever its splits. Ctrl-C saves the state; the same command goes
    on from there.
    """
    from rankelastor.backtesting.backtest import backtest as backtest_recipe
    from rankelastor.backtesting.page import days_table, notes_on, verdict_on
    from rankelastor.cli.fitted_table import FittedTable
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.stop_signals import stopping_between_steps
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.recipes.load import load_recipe, parse_overrides

    begin_to_compute()
    settings = load_recipe(recipe, parse_overrides(assignments or []))
    with Bar() as bar, stopping_between_steps() as interruption:
        result = backtest_recipe(
            settings,
            by=by,
            day_format=day_format,
            window=window,
            folder=to,
            listener=_View(bar),
            progress=bar,
            interruption=interruption,
        )
    if as_json:
        print_json(result.as_dict())
        return
    if as_csv:
        typer.echo(result.as_csv(), nl=False)
        return
    found = days_table(result)
    table = FittedTable(*(column.title for column in found.columns), left=2)
    for row in found.rows:
        table.add_row(*found.texts(row))
    console.print(table)
    for note in (*notes_on(result), verdict_on(result)):
        print_words(f"\n{note}")
    print_words(f"\nfolder: {result.folder}; look at {result.folder / 'report.html'}")


class _View:
    """Listener of a backtest: a bar for each training, a line for each day."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def observers(self, arm: Arm, day: str, number: int, total: int) -> Sequence[TrainingObserver]:
        """Return an observer that moves the bar."""
        from rankelastor.cli.tune_view import QuietTraining

        return [QuietTraining(self._bar, label=f"{arm} {day} ({number}/{total})")]

    def on_day(self, record: DayRecord) -> None:
        """Print the line of a day."""
        self._bar.end()
        cold, warm = (record.value(arm, "auc") for arm in ("cold", "warm"))
        figures = ", ".join(
            f"{arm} auc {'undefined' if value is None else f'{value:.6f}'}"
            for arm, value in (("cold", cold), ("warm", warm))
        )
        self._bar.say(f"{record.trained_on}, tested on {record.tested_on}: {figures}")
