"""`rankelastor profile`: measure the time of each stage of a training step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli import together
from rankelastor.cli.arguments import AsJson, Assignments, RecipePath, processes_option
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


def profile(  # noqa: PLR0917 - typer passes keyword arguments
    recipe: RecipePath,
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Steps to measure.")] = 20,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", help="Warm-up steps before them.")] = 5,
    processes: Annotated[
        int | None, processes_option("Take the steps by N processes of this machine, as train does.")
    ] = None,
    as_json: AsJson = False,
    assignments: Assignments = None,
) -> None:
    """Measure the time of each stage of a training step: data, embedding, the network's stages, loss, optimiser.

    Trains a new ranker for some steps and discards it. All blocks of a mixer are counted together. With several
    processes, those of --processes or those that torchrun starts, the figures are the first one's, and what it gives
    others or waits for is a stage of its own, exchange.

    Prepares the data first if that has not been done.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.profiling.profile import profile as profile_steps
    from rankelastor.recipes.load import load_recipe, parse_overrides

    begin_to_compute()
    settings = load_recipe(recipe, parse_overrides(assignments or []))
    if processes is not None and together.must_be_started(processes):
        together.start(processes)
        return
    with together.processes_of(processes) as joined, Bar() as bar:
        found = profile_steps(settings, num_steps=steps, num_warmup=warmup, progress=bar, processes=joined)
        if not joined.world.is_first:
            return
    if as_json:
        _print_json(found)
    else:
        _print_table(settings.name, found)


def _print_json(found: StepProfile) -> None:
    values = asdict(found) | {"examples_per_second": found.examples_per_second}
    print_json(values)


def _print_table(name: str, found: StepProfile) -> None:
    threads = f"{found.num_threads} {'thread' if found.num_threads == 1 else 'threads'} ({found.threads_reason})"
    print_words(
        f"{name}: batches of {found.batch_size:,}{_by_processes(found)}, {found.device}, {threads}, "
        f"{found.precision}; "
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
    if found.bytes_per_step:
        sent = ", ".join(f"{kind} {count:,}" for kind, count in found.bytes_per_step.items())
        print_words(f"bytes that the first process gave others at a step: {sent}")


def _by_processes(found: StepProfile) -> str:
    """Say how many processes share a batch, where several do."""
    return f" shared by {found.num_processes} processes" if found.num_processes > 1 else ""


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
