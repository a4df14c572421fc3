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


def predict(  # noqa: PLR0917 - typer passes keyword arguments
    run: RunPath,
    input_file: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Raw rows with the columns of the training data: a file (CSV, Parquet, Arrow IPC, ORC), a folder, "
            "an address of one (s3://), or - for stdin.",
        ),
    ],
    output_file: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="The same rows with a probability column: a file whose ending tells the format, a folder for a "
            "folder, an address of one (s3://), or - for stdout.",
        ),
    ],
    force: Force = False,
    chosen: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Format of OUTPUT, whatever its name: csv, tsv, parquet, feather, orc.",
            show_default="by the ending; csv for -",
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            "--executor",
            metavar="NAME",
            help="Who scores: local, ray (a Ray cluster: RAY_ADDRESS, or one on this machine) or ray://HOST:PORT.",
        ),
    ] = "local",
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
    from rankelastor.cli.standard_streams import STANDARD, end_quietly, or_standard_input, or_standard_output
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.serving.predict import predict as predict_rows

    begin_to_compute()
    try:
        with Bar() as bar:
            num_rows = predict_rows(
                find_run(run),
                or_standard_input(input_file),
                or_standard_output(output_file),
                overwrite=force,
                output_format=chosen,
                report=report,
                executor=executor,
                progress=bar,
            )
    except BrokenPipeError:
        end_quietly()
    if output_file != STANDARD:
        print_words(f"{output_file}: {num_rows:,} rows with probabilities")
