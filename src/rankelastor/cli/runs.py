"""`rankelastor runs`: list the runs in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import print_json, print_unbroken, print_words

if TYPE_CHECKING:
    from rankelastor.runs.overview import RunOverview

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("runs", epilog="Example: rankelastor runs runs")(runs)


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder of run folders, or one run folder.")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs in a folder: name, model, state, best metrics, time and size on disk.

    A run is running, finished, or stopped after a step; `rankelastor train` goes on with a stopped one.
    """
    from rankelastor.runs.overview import list_runs

    found = list_runs(folder)
    if as_json:
        print_json([run.as_dict() for run in found])
        return
    if not found:
        print_words(f"{folder} holds no run; `rankelastor train RECIPE` makes one in runs/NAME")
        return
    _print_table(found)
    for run in found:
        if run.problem is not None:
            print_words(f"{run.folder.name}: {run.problem}")


def _print_table(found: list[RunOverview]) -> None:
    from rich.table import Table

    from rankelastor.progress import format_duration

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "model", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("valid auc", "valid logloss", "test auc", "test logloss", "time", "size"):
        table.add_column(title, justify="right", no_wrap=True)
    for run in found:
        figures = [_figure(metrics.get(name)) for metrics in (run.valid, run.test) for name in ("auc", "logloss")]
        seconds = "" if run.seconds is None else format_duration(run.seconds)
        table.add_row(run.folder.name, run.model or "", _state(run), *figures, seconds, _size(run.num_bytes))
    print_unbroken(table)


def _state(run: RunOverview) -> str:
    if run.state == "running":
        return "running" if run.step is None else f"running, step {run.step:,}"
    if run.state != "stopped":
        return run.state
    if run.step is None:
        return "stopped at the start"
    if run.resumes_after is None:
        return f"stopped at step {run.step:,}, without a checkpoint"
    return f"stopped at step {run.step:,}"


def _figure(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float | int) else ""


def _size(num_bytes: int) -> str:
    for unit, name in _UNITS:
        if num_bytes >= unit:
            return f"{num_bytes / unit:.1f} {name}"
    return f"{num_bytes} B"
