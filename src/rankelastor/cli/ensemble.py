"""`rankelastor ensemble`: make one run of several."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, PreparedPath, RunPatterns, find_runs
from rankelastor.cli.console import console, print_json, print_words


class Kind(StrEnum):
    """Kinds of calibration, as values of an option."""

    auto = "auto"
    platt = "platt"
    isotonic = "isotonic"
    temperature = "temperature"
    offset = "offset"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("ensemble", epilog="Example: rankelastor ensemble runs/rankmixer runs/rankelastor --to runs/both")(
        ensemble
    )


def ensemble(
    runs: RunPatterns,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The run folder to write; it must not exist.")],
    calibration: Annotated[
        Kind | None,
        typer.Option("--calibration", help="Calibration of the mean logit.", show_default="that of the first run"),
    ] = None,
    prepared: PreparedPath = None,
    as_json: AsJson = False,
) -> None:
    """Make one run of several finished ones: its logits are the mean of theirs, calibrated by the valid split.

    The runs may differ in seed, settings and model, but must be trained on the same prepared data. They are copied into
    members/ of the new folder, which evaluate, predict, spectrum and describe take as one model.
    """
    from rankelastor.cli.ensemble_view import result_members_table
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.tables import comparison_lines, metrics_view
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.ensembles.make import make_ensemble

    begin_to_compute()
    with Bar() as bar:
        made = make_ensemble(
            find_runs(runs),
            to,
            calibration=None if calibration is None else calibration.value,
            prepared=prepared,
            progress=bar,
        )
    if as_json:
        print_json({"folder": str(made.folder), **made.result.as_dict()})
        return
    console.print(metrics_view(dict(made.result.metrics.items())))
    console.print()
    console.print(result_members_table(made.result))
    for line in comparison_lines(made.result):
        print_words(line)
    print_words(f"\nrun folder: {made.folder}")
