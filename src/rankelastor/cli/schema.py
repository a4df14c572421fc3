"""`rankelastor schema`: write the JSON schema of recipes for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.console import print_words


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("schema", epilog="Example: rankelastor schema recipe.schema.json")(schema)


def schema(
    output_file: Annotated[
        Path | None, typer.Argument(metavar="OUTPUT", help="The file to write.", show_default="standard output")
    ] = None,
) -> None:
    """Write the JSON schema of recipes, which editors use to complete and check the YAML.

    For the YAML language server, begin a recipe with: # yaml-language-server: $schema=recipe.schema.json
    """
    from rankelastor.recipes.json_schema import recipe_json_schema
    from rankelastor.storage import whole_file

    text = json.dumps(recipe_json_schema(), indent=2) + "\n"
    if output_file is None:
        typer.echo(text, nl=False)
        return
    with whole_file(output_file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print_words(f"{output_file}: JSON schema of recipes")
