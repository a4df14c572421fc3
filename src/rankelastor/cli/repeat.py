"""`rankelastor repeat`: train a finished run again and compare the two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, RunPath, find_run
from rankelastor.cli.console import print_json, print_words

DIFFERENT = 1
"""Exit code if a metric differs by more than the tolerance."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("repeat", epilog="Example: rankelastor repeat runs/mine")(repeat)


def repeat(
    run: RunPath,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Keep the repetition in this run folder; by default it is removed."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="Difference of a metric that is allowed where bits differ.")
    ] = 1e-3,
    as_json: AsJson = False,
) -> None:
    """Train a finished run again from its folder alone, and say whether the numbers are the same.

    They are the same bit for bit on the same processor with the same number of threads and the same versions; what
    differs in the environment is listed. The exit code is 1 if a metric differs by more than the tolerance.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.cli.training_view import TrainingView
    from rankelastor.training.repeat import repeat_run

    begin_to_compute()
    with Bar() as bar:
        found = repeat_run(find_run(run), to=to, tolerance=tolerance, observers=[TrainingView(bar)], progress=bar)
    if as_json:
        print_json(found.as_dict())
    else:
        for name in ("valid.auc", "valid.logloss", "test.auc", "test.logloss"):
            if name in found.metrics:
                before, now = found.metrics[name]
                print_words(f"{name.replace('.', ' ')}: {before:.6f} before, {now:.6f} now")
        for name, (before, now) in found.environment.items():
            print_words(f"{name}: {before} before, {now} now")
        if not found.environment:
            print_words("the environment is the same")
        print_words(found.verdict)
    if not found.is_identical and not found.is_within_tolerance:
        raise typer.Exit(DIFFERENT)
