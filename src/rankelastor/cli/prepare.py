"""`rankelastor prepare`: convert raw files to a prepared folder."""

from __future__ import annotations

from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, Assignments, RecipePath
from rankelastor.cli.console import print_json, print_words


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("prepare", epilog="Example: rankelastor prepare sample/recipe.yaml")(prepare)


def prepare(  # noqa: PLR0917 - typer passes keyword arguments
    recipe: RecipePath,
    extend: Annotated[
        str | None,
        typer.Option(
            "--extend",
            metavar="PREPARED",
            help="Take the files in as a further day after those of this prepared folder, which stays as it is.",
            show_default="a first day",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Prepare again, even if nothing has changed or others need the folder.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="The prepared folder to write, in place of data.prepared: a path, or an address (s3://BUCKET/PATH).",
            show_default="data.prepared",
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            "--executor",
            metavar="NAME",
            help="Who does the work: local (threads), ray (a Ray cluster: RAY_ADDRESS, or one on this machine) or "
            "ray://HOST:PORT.",
        ),
    ] = "local",
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Read the raw files of a recipe and write vocabularies and typed columns to its prepared folder.

    Does nothing if the folder was prepared from the same settings and files. A folder that another recipe or a run
    needs as it is, see its file used_by.jsonl, is replaced only with --force.

    With --extend known values keep their ids, new ones get ids behind them and counts grow, see docs/days.md.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_work
    from rankelastor.recipes.load import load_recipe, parse_overrides
    from rankelastor.recipes.prepare import prepare_for

    begin_to_work()
    changes = parse_overrides(assignments or []) | ({} if to is None else {"data.prepared": to})
    settings = load_recipe(recipe, changes).data
    with Bar() as bar:
        dataset = prepare_for(recipe, settings, extend=extend, force=force, executor=executor, progress=bar)
    counts = {name: dataset.split(name).num_rows for name in dataset.splits}
    if as_json:
        print_json({"folder": str(dataset.place), "num_features": dataset.schema.num_fields, "num_rows": counts})
        return
    rows = ", ".join(f"{name} {count:,} rows" for name, count in counts.items())
    print_words(f"{dataset.place}: {dataset.schema.num_fields} features; {rows}")
