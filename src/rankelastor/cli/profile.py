"""`rankelastor profile`: measure the time of each stage of a training step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson, Assignments, RecipePath
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.percent import percent

if TYPE_CHECKING:
    from rankelastor.profiling.profile import StepProfile

_BAR_WIDTH = 24


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "profile",
        epilog="Example: rankelastor profile sample/recipe.yaml --steps 50 --set training.batch_size=4096",
    )(profile)


def profile(
    recipe: RecipePath,
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Steps to measure.")] = 20,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", help="Warm-up steps before them.")] = 5,
    as_json: AsJson = False,
    assignments: Assignments = None,
) -> None:
    """Measure the time of each stage of a training step: data, embedding, the network's stages, loss, optimiser.

    Trains a new ranker for some steps and discards it. All blocks of a mixer are counted together.

    Prepares the data first if that has not been done.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.profiling.profile import profile as profile_steps
    from rankelastor.recipes.load import load_recipe, parse_overrides

    begin_to_compute()
    settings = load_recipe(recipe, parse_overrides(assignments or []))
    with Bar() as bar:
        found = profile_steps(settings, num_steps=steps, num_warmup=warmup, progress=bar)
    if as_json:
        _print_json(found)
    else:
        _print_table(settings.name, found)


def _print_json(found: StepProfile) -> None:
    values = asdict(found) | {"examples_per_second": found.examples_per_second}
    print_json(values)


def _print_table(name: str, found: StepProfile) -> None:
    threads = f"{found.num_threads} {'thread' if found.num_threads == 1 else 'threads'}"
    print_words(
        f"{name}: batches of {found.batch_size:,}, {found.device}, {threads}, {found.precision}; "
        f"the middle half of {found.num_steps} steps, ms per step\n"
    )
    console.print(_stage_table(found))
    backward = sum(stage.backward_ms for stage in found.stages)
    fewer = found.device == "cpu" and found.slice_threads < found.num_threads
    aside = f" (stages are timed on one core, a whole step uses {found.num_threads})" if fewer else ""
    print_words(
        f"\nbackward {backward:.2f} ms in total, {percent(backward / found.watched_step_ms, digits=1)}\n"
        f"a whole step, measured alternately without hooks: {found.step_ms:.2f} ms, "
        f"{found.examples_per_second:,.0f} examples/s; "
        f"the named stages add up to {percent(found.accounted_share, digits=1)} of it{aside}"
    )


def _stage_table(found: StepProfile) -> FittedTable:
    table = FittedTable("stage", "forward", "backward", "both", "share", "")
    table.columns[5].justify, table.columns[5].min_width = "left", _BAR_WIDTH
    largest = max(stage.share for stage in found.stages)
    for stage in found.stages:
        table.add_row(
            stage.stage,
            f"{stage.forward_ms:.2f}",
            f"{stage.backward_ms:.2f}" if stage.backward_ms else "",
            f"{stage.ms:.2f}",
            percent(stage.share, digits=1),
            "█" * round(_BAR_WIDTH * stage.share / largest),
        )
    return table
