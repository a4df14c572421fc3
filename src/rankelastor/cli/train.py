"""`rankelastor train`: train the ranker of a recipe and write a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli import together
from rankelastor.cli.arguments import AsJson, Assignments, RecipePath, processes_option
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.errors import SettingsError
from rankelastor.percent import percent

if TYPE_CHECKING:
    from rankelastor.collectives.processes import Processes
    from rankelastor.recipes.recipe import Recipe
    from rankelastor.runs.result import RunResult


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "train",
        epilog="Example: rankelastor train sample/recipe.yaml --run runs/mine --set training.seed=2",
    )(train)


def train(  # noqa: PLR0917 - typer passes keyword arguments
    recipe: RecipePath,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            "--to",
            metavar="DIR",
            help="The run folder: new, or that of an unfinished run of the same settings, which goes on.",
            show_default="runs/NAME",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run, which must be there; training.epochs may be larger now."),
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Go on from the weights and the optimizer of this finished run; rows of new values begin as those of "
            "out of vocabulary.",
            show_default="anew",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            min=2,
            help="Train N runs, with seeds from training.seed on, as one: an ensemble, the mean of their logits.",
            show_default="one run",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        processes_option(
            "Train one run by N processes of this machine; with --seeds, how many runs are trained at a time.",
            default="1; with --seeds by cores and memory",
        ),
    ] = None,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Train the ranker of a recipe, keep the weights that are best on the valid split, and test them.

    Prepares the data first if that has not been done. Samples the rank of the representations during training, see
    the settings `spectrum`; `rankelastor spectrum RUN` shows the samples. What is shown while training also stands in
    train.log in the run folder.

    Ctrl-C saves the state after the present step; the same command goes on from there, and ends with the same numbers
    as a run that was never stopped. An ensemble goes on with the members that are missing.

    With --from the training goes on from another run, after `rankelastor prepare --extend` took a further day in, see
    docs/days.md.

    Several processes train as one, with the same batches and the same numbers: those of --processes, or those that
    torchrun starts on one or several machines, see docs/scaling.md.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.stop_signals import stopping_between_steps
    from rankelastor.cli.tables import comparison_lines, describe_speed, metrics_view
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.cli.training_view import TrainingView
    from rankelastor.data.used_by import User, add_user
    from rankelastor.recipes.load import load_recipe, parse_overrides
    from rankelastor.runs.run_folder import default_run_folder
    from rankelastor.spectrum.runs.observer import SpectrumObserver
    from rankelastor.training.distributed.sharing import interruption_of
    from rankelastor.training.run import train as train_recipe

    if resume and seeds is not None:
        raise SettingsError("--resume is for a single run, but --seeds was given too: an ensemble goes on by itself")
    if seeds is not None and together.are_started_together():
        raise SettingsError("--seeds is for one process that starts others, but this is one of several; leave it out")
    if start_from is not None and seeds is not None:
        raise SettingsError("--from is for a single run, but --seeds was given too; train the members one by one")
    begin_to_compute()
    overrides = parse_overrides(assignments or [])
    if seeds is not None:
        settings = load_recipe(recipe, overrides)
        folder = run or default_run_folder(settings)
        _train_ensemble(settings, recipe, folder, seeds=seeds, processes=processes, as_json=as_json)
        return
    if processes is not None and together.must_be_started(processes):
        load_recipe(recipe, overrides)  # so that a mistake is said before processes start
        together.start(processes)
        return
    with together.processes_of(processes) as joined, Bar() as bar:
        settings = load_recipe(recipe, overrides)
        folder = run or default_run_folder(settings)
        if not joined.world.is_first:
            _follow(settings, joined, start_from)
            return
        observers = [TrainingView(bar), SpectrumObserver(settings.spectrum, folder)]
        with stopping_between_steps(interruption_of(joined)) as interruption:
            trained = train_recipe(
                settings,
                folder=folder,
                observers=observers,
                progress=bar,
                resume=resume,
                start_from=start_from,
                interruption=interruption,
                processes=joined,
            )
    add_user(settings.data.prepared, User.of_recipe(recipe))
    if as_json:
        print_json({"folder": str(trained.folder), **trained.result.as_dict()})
        return
    result, cost = trained.result, trained.result.cost
    console.print(metrics_view(dict(result.metrics.items())))
    for line in comparison_lines(result):
        print_words(line)
    print_words(
        f"\n{cost.dense_parameters:,} dense and {cost.embedding_parameters:,} embedding parameters, "
        f"{cost.flops_per_example:,} FLOPs per example\n"
        f"best epoch {result.best_epoch} of {result.epochs}, {result.seconds:.1f} s, "
        f"{result.examples_per_second:,.0f} examples/s in training steps, "
        f"which waited for data {percent(result.data_wait_share, digits=1)} of the time\n"
        f"{result.precision}, {result.executor}: {describe_speed(result.speed.as_dict())}\n"
        f"{_processes_line(result)}run folder: {trained.folder}"
    )


def _processes_line(result: RunResult) -> str:
    """Say what several processes exchanged; nothing of one."""
    if (figures := result.processes) is None:
        return ""
    sent = sum(figures.bytes_per_step.values())
    return (
        f"{figures.number} processes, of which the first gave the others {sent:,} bytes a step, and spent "
        f"{figures.exchange_seconds:.1f} s on that, waiting included\n"
    )


def _follow(settings: Recipe, processes: Processes, start_from: Path | None) -> None:
    """Train with the first process, and say nothing."""
    from rankelastor.cli.stop_signals import stopping_between_steps
    from rankelastor.training.distributed.follow import follow
    from rankelastor.training.distributed.sharing import interruption_of

    with stopping_between_steps(interruption_of(processes)) as interruption:
        follow(settings, processes=processes, start_from=start_from, interruption=interruption)


def _train_ensemble(
    settings: Recipe, recipe: Path, folder: Path, *, seeds: int, processes: int | None, as_json: bool
) -> None:
    from rankelastor.cli.ensemble_view import EnsembleView, result_members_table
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.stop_signals import stopping_between_steps
    from rankelastor.cli.tables import comparison_lines, metrics_view
    from rankelastor.data.used_by import User, add_user
    from rankelastor.ensembles.train import train_ensemble
    from rankelastor.progress import format_duration

    with Bar() as bar, stopping_between_steps() as interruption:
        trained = train_ensemble(
            settings,
            seeds=seeds,
            folder=folder,
            num_processes=processes,
            listener=EnsembleView(bar),
            progress=bar,
            interruption=interruption,
        )
    add_user(settings.data.prepared, User.of_recipe(recipe))
    result = trained.result
    if as_json:
        print_json({"folder": str(trained.folder), **result.as_dict()})
        return
    console.print(metrics_view(dict(result.metrics.items())))
    console.print()
    console.print(result_members_table(result))
    for line in comparison_lines(result):
        print_words(line)
    seconds = " + ".join(format_duration(member.seconds) for member in result.members)
    print_words(
        f"\n{len(result.members)} members, {result.cost.dense_parameters:,} dense and "
        f"{result.cost.embedding_parameters:,} embedding parameters together\n"
        f"{format_duration(result.seconds)} in all, of the members {seconds}\n"
        f"run folder: {trained.folder}"
    )
