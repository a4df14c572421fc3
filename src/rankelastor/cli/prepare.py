"""`rankelastor prepare`: convert raw files to a prepared folder."""

from __future__ import annotations

from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, Assignments, RecipePath
from rankelastor.cli.console import print_json, print_words


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("prepare", epilog="Example: rankelastor prepare sample/recipe.yaml")(prepare)


def prepare(
    recipe: RecipePath,
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
    assignments: Assignments = None,
    as_json: AsJson = False,
) -> None:
    """Read the raw files of a recipe and write vocabularies and typed columns to its prepared folder.

    Does nothing if the folder was prepared from the same settings and files. A folder that another recipe or a run
    needs as it is, see its file used_by.jsonl, is replaced only with --force.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.recipes.load import load_recipe, parse_overrides
    from rankelastor.recipes.prepare import prepare_for

    changes = parse_overrides(assignments or []) | ({} if to is None else {"data.prepared": to})
    settings = load_recipe(recipe, changes).data
    with Bar() as bar:
        dataset = prepare_for(recipe, settings, force=force, progress=bar)
    counts = {name: dataset.split(name).num_rows for name in dataset.splits}
    if as_json:
        print_json({"folder": str(dataset.place), "num_features": dataset.schema.num_fields, "num_rows": counts})
        return
    rows = ", ".join(f"{name} {count:,} rows" for name, count in counts.items())
    print_words(f"{dataset.place}: {dataset.schema.num_fields} features; {rows}")
