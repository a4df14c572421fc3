"""`rankelastor sample`: write a small click log with its recipe, to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.console import console

MIN_ROWS = 1_000


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("sample", epilog="Example: rankelastor sample sample")(sample)


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    rows: Annotated[int, typer.Option("--rows", min=MIN_ROWS, help="Rows of the log.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed of the log.")] = 7,
    second_label: Annotated[
        bool, typer.Option("--second-label", help="Add a label `buy` behind `click`, and a recipe that learns both.")
    ] = False,
) -> None:
    """Write a synthetic click log as CSV, a recipe that trains on it, and new rows to score.

    Needs no other data. The best AUC that any model can reach on the log is known, since its true click
    probabilities are.
    """
    from rankelastor.studies.sample import write_sample

    written = write_sample(folder, num_rows=rows, seed=seed, second_label=second_label)
    sizes = ", ".join(f"{split}.csv {count:,}" for split, count in written.log.num_rows.items())
    console.print(
        f"{folder}: a synthetic click log, {sizes} rows; {written.new_rows.name} has rows to score\n"
        f"best possible on test: AUC {written.log.best['test'].auc:.6f}, "
        f"logloss {written.log.best['test'].logloss:.6f}\n"
        f"Next: rankelastor train {written.recipe}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
