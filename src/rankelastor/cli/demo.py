"""`rankelastor demo`: compare two rankers on a synthetic log, from raw data to results, in minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.percent import percent

if TYPE_CHECKING:
    from rankelastor.studies.demo import DemoReport, DemoRow

MIN_ROWS = 1_000


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo", epilog="Example: rankelastor demo --rows 50000")(demo)


def demo(
    folder: Annotated[Path, typer.Option("--to", "--folder", metavar="DIR", help="The folder for all output.")] = Path(
        "demo"
    ),
    rows: Annotated[int, typer.Option("--rows", min=MIN_ROWS, help="Rows of the synthetic log.")] = 200_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed of the log and of the training.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Generate a click log whose best possible AUC is known, train RankMixer and RankElastor on it, compare them."""
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.cli.training_view import TrainingView
    from rankelastor.config.spectrum import SpectrumSettings
    from rankelastor.spectrum.runs.observer import SpectrumObserver
    from rankelastor.studies.demo import run_demo
    from rankelastor.studies.verdict import verdict_of

    begin_to_compute()
    with Bar() as bar:
        report = run_demo(
            folder,
            num_rows=rows,
            seed=seed,
            observers_for=lambda model, run: [
                TrainingView(bar, label=model),
                SpectrumObserver(SpectrumSettings(), run),
            ],
            progress=bar,
        )
    if as_json:
        print_json(asdict(report))
        return
    console.print(_table(report))
    print_words(
        f"\nSynthetic log of {report.num_rows:,} rows. Best possible on its test split, with the true probabilities: "
        f"AUC {report.best.auc:.6f}, logloss {report.best.logloss:.6f}.\n"
        f"Stable rank: mean over the token matrices of {report.num_rank_examples:,} test examples, "
        f"at most min(tokens, dim) = {report.max_rank}."
    )
    console.print("\nWhat this shows", style="bold")
    for sentence in verdict_of(report):
        print_words(f"- {sentence}")
    print_words(
        f"\nRuns: {folder / 'runs'}. Next: rankelastor spectrum {folder / 'runs' / 'rankmixer'} "
        f"{folder / 'runs' / 'rankelastor'}"
    )


def _rank(mean: float | None) -> str:
    return "" if mean is None else f"{mean:.3f}"


def _table(report: DemoReport) -> FittedTable:
    table = FittedTable("", *[row.model for row in report.rows])
    for name, value in _LINES:
        table.add_row(name, *[value(row) for row in report.rows])
    for point in report.rows[0].mean_stable_rank:
        table.add_row(f"stable rank, {point}", *[_rank(row.mean_stable_rank[point]) for row in report.rows])
    return table


_LINES: tuple[tuple[str, Callable[[DemoRow], str]], ...] = (
    ("test AUC", lambda row: f"{row.auc:.6f}"),
    ("test logloss (nats)", lambda row: f"{row.logloss:.6f}"),
    ("share of the possible AUC gain", lambda row: percent(row.share_of_gain, digits=1)),
    ("dense parameters", lambda row: f"{row.dense_parameters:,}"),
    ("FLOPs per example", lambda row: f"{row.flops_per_example:,}"),
    ("seconds", lambda row: f"{row.seconds:.1f}"),
)
