"""`rankelastor prepare`: convert raw files to a prepared folder."""

from __future__ import annotations

from typing import Annotated

import typer

from rankelastor.cli.arguments import Assignments, RecipePath
from rankelastor.cli.console import console


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("prepare", epilog="Example: rankelastor prepare sample/recipe.yaml")(prepare)


def prepare(
    recipe: RecipePath,
    force: Annotated[bool, typer.Option("--force", help="Prepare again even if nothing has changed.")] = False,
    assignments: Assignments = None,
) -> None:
    """Read the raw files of a recipe and write vocabularies and typed columns to its prepared folder.

    Does nothing if the folder was prepared from the same settings and files.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.data.prepare import prepare as prepare_data
    from rankelastor.recipes.load import load_recipe, parse_overrides

    settings = load_recipe(recipe, parse_overrides(assignments or [])).data
    with Bar() as bar:
        dataset = prepare_data(settings, force=force, progress=bar)
    rows = ", ".join(f"{name} {dataset.split(name).num_rows:,} rows" for name in dataset.splits)
    console.print(
        f"{dataset.folder}: {dataset.schema.num_fields} features; {rows}", highlight=False, markup=False, soft_wrap=True
    )
