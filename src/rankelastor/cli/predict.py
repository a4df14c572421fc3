"""`rankelastor predict`: compute probabilities for raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import Force, RunPath, find_run
from rankelastor.cli.console import print_words


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("predict", epilog="Example: rankelastor predict runs/frappe-rankelastor new.csv scored.csv")(predict)


def predict(
    run: RunPath,
    input_file: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Raw rows in the format of the training data, CSV or Parquet.")
    ],
    output_file: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The same rows with a probability column.")],
    force: Force = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write rows, mean, quantiles and the unseen share of each field, beside those of valid, as JSON.",
        ),
    ] = None,
) -> None:
    """Score raw rows and write them with an additional last column `probability`.

    Values unseen in training are allowed, with a warning where they are far more than in valid; the label column may be
    missing.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.execution.allocator import keep_large_blocks
    from rankelastor.serving.predict import predict as predict_rows

    keep_large_blocks()
    with Bar() as bar:
        num_rows = predict_rows(find_run(run), input_file, output_file, overwrite=force, report=report, progress=bar)
    print_words(f"{output_file}: {num_rows:,} rows with probabilities")
