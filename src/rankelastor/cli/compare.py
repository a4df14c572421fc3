"""`rankelastor compare`: which of several runs is better on the same rows, and whether that can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from rankelastor.cli.arguments import AsJson, PreparedPath, RunPatterns, find_runs
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable

if TYPE_CHECKING:
    from rankelastor.studies.comparing.compare import RunComparison


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("compare", epilog="Example: rankelastor compare runs/rankmixer runs/rankelastor")(compare)


def compare(runs: RunPatterns, prepared: PreparedPath = None, as_json: AsJson = False) -> None:
    """Compare finished runs with the first one on the same test rows: AUC, gAUC and logloss, each with an interval.

    The intervals of 95 % are DeLong's for AUC, and from a bootstrap over rows for logloss, over groups for gAUC. In
    words: which run is better, or that they cannot be told apart. Runs on different rows are refused.

    The intervals hold for these trained models. What another seed would do is asked by `rankelastor study`.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.studies.comparing.compare import SEEDS_DIFFER_TOO, compare_runs

    with Bar() as bar:
        found = compare_runs(find_runs(runs), prepared=prepared, progress=bar)
    if as_json:
        print_json([each.as_dict() for each in found])
        return
    console.print(_table(found))
    print_words("")
    for each in found:
        task = f"{each.task}, " if len({other.task for other in found}) > 1 else ""
        for sentence in each.sentences():
            print_words(f"{task}{sentence}")
    print_words(SEEDS_DIFFER_TOO)


def _table(found: list[RunComparison]) -> FittedTable:
    table = FittedTable("run", "metric", "its value", f"of {found[0].other}", "difference", "low", "high")
    table.columns[1].justify = "left"
    for each in found:
        for metric in each.differences:
            values = (metric.value, metric.other)
            ends = (metric.difference, metric.low, metric.high)
            shown = [*(f"{value:.6f}" for value in values), *(f"{value:+.6f}" for value in ends)]
            table.add_row(Text(each.name), Text(metric.metric), *shown)
    return table
