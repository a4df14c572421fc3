"""`rankelastor theory`: check the paper's bounds by Monte Carlo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import console, print_words
from rankelastor.cli.fitted_table import FittedTable

if TYPE_CHECKING:
    from rankelastor.spectrum.bounds.monte_carlo import TheoryReport


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("theory", epilog="Example: rankelastor theory --to theory")(theory)


def theory(
    to: Annotated[
        Path | None, typer.Option("--to", "--report", metavar="DIR", help="Also write theory.json and theory.md there.")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Random draws per setting.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed of the draws.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Check the statements of the RankElastor paper on random matrices, over sizes, activations and initial scales.

    Reports how often each statement holds, and which of its conditions real networks violate.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.spectrum.bounds.monte_carlo import check_bounds

    with Bar() as bar:
        found = check_bounds(seed=seed, num_trials=trials, progress=bar)
    if to is not None:
        _write(found, to)
    if as_json:
        typer.echo(found.to_json())
        return
    console.print(_table(found))
    console.print()
    for sentence in found.sentences.values():
        console.print(sentence, markup=False, highlight=False)
    if to is not None:
        print_words(f"\nreport: {to / 'theory.md'}, data: {to / 'theory.json'}")


def _table(found: TheoryReport) -> FittedTable:
    from rankelastor.spectrum.bounds.summary import exact_percent, summaries

    table = FittedTable("statement", "trials", "conditions met", "holds there", "holds elsewhere")
    for line in summaries(found):
        table.add_row(
            line.statement,
            f"{line.num_trials:,}",
            f"{line.num_covered:,}",
            exact_percent(line.share_holds_covered),
            exact_percent(line.share_holds_outside),
        )
    return table


def _write(found: TheoryReport, folder: Path) -> None:
    from rankelastor.spectrum.bounds.summary import to_markdown
    from rankelastor.storage import whole_file

    for name, text in (("theory.json", found.to_json() + "\n"), ("theory.md", to_markdown(found))):
        with whole_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
