"""`rankelastor tune`: try settings of a recipe on the valid split, and write the best as a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, Assignments, RecipePath
from rankelastor.cli.console import console, print_json, print_words


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "tune",
        epilog="Example: rankelastor tune sample/recipe.yaml --trials 8  |  "
        "rankelastor tune recipe.yaml --show-space > space.yaml  |  "
        "rankelastor tune recipe.yaml --space space.yaml --trials 40",
    )(tune)


def tune(  # noqa: PLR0917 - typer's arguments
    recipe: RecipePath,
    trials: Annotated[
        int,
        typer.Option(
            "--trials", metavar="N", min=1, help="Trainings in all, that of the recipe as it stands included."
        ),
    ] = 20,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            "--run",
            metavar="DIR",
            help="The folder: new, or that of the same tuning, which goes on.",
            show_default="tune/NAME",
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            "--space",
            metavar="FILE",
            help="YAML of the settings to draw, such as `training.learning_rate: {log: [1e-4, 1e-2]}`.",
            show_default="chosen by the recipe",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draws.")] = 1,
    average: Annotated[
        int,
        typer.Option(
            "--average",
            metavar="K",
            min=0,
            help="Make an ensemble of the K best trials in the end, at most 5, and test it.",
        ),
    ] = 0,
    show_space: Annotated[
        bool, typer.Option("--show-space", help="Print the settings that would be drawn as YAML, and train nothing.")
    ] = False,
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Train a recipe with other settings, again and again, and keep those that the valid split likes best.

    The first trial is the recipe as it stands. Further ones are drawn by optuna; one that is worse than the median of
    those before it is stopped early. All are compared by `training.monitor` on the valid split: the test split is not
    looked at. A draw is one of {log: [1e-4, 1e-2]}, {between: [0, 0.5]}, {integer: [1, 3]}, {one_of: [8, 16, 32]};
    several settings with commas between get one value.

    --average K makes an ensemble of the best trials, as `rankelastor ensemble` does, whose test split is scored.

    Ctrl-C stops; the same command goes on, and a larger N adds trials.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.stop_signals import stopping_between_steps
    from rankelastor.cli.tables import metrics_view
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.cli.tune_view import TuneView, trials_table
    from rankelastor.data.used_by import User, add_user
    from rankelastor.recipes.load import load_recipe, parse_overrides
    from rankelastor.runs.run_folder import RunFolder
    from rankelastor.tuning.tune import space_of
    from rankelastor.tuning.tune import tune as tune_recipe

    begin_to_compute()
    settings = load_recipe(recipe, parse_overrides(assignments or []))
    with Bar() as bar:
        if show_space:
            typer.echo(space_of(settings, space, progress=bar).as_yaml(), nl=False)
            return
        with stopping_between_steps() as interruption:
            result = tune_recipe(
                settings,
                trials=trials,
                folder=to,
                space=space,
                seed=seed,
                average=average,
                listener=TuneView(bar, num_trials=trials),
                progress=bar,
                interruption=interruption,
            )
    add_user(settings.data.prepared, User.of_recipe(recipe))
    if as_json:
        print_json(result.as_dict())
        return
    console.print(trials_table(result.trials))
    best = result.folder / "best.yaml"
    what = "the recipe as it stands" if not result.best.drawn else f"trial {result.best.index}"
    print_words(f"\nbest on valid: {what}; its recipe: {best}")
    if average:
        run = RunFolder.open(result.folder / f"average-{average}")
        console.print(metrics_view(dict(run.result().metrics.items())))
        print_words(f"ensemble of the {average} best trials: {run.path}")
    print_words(f"Next: rankelastor train {best}")
