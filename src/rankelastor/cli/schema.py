"""`rankelastor schema`: write the JSON schema of recipes for editors, or explain their settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.console import console, print_words
from rankelastor.errors import SettingsError

_WIDEST = 100


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("schema", epilog="Example: rankelastor schema --explain training.patience")(schema)


def schema(
    output_file: Annotated[
        Path | None, typer.Argument(metavar="OUTPUT", help="The file to write.", show_default="standard output")
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="PATH", help="Explain one setting instead, such as training.patience."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write a page that lists every setting, in Markdown, instead.")
    ] = False,
) -> None:
    """Write the JSON schema of recipes, which editors use to complete and check the YAML, or explain their settings.

    For the YAML language server, begin a recipe with: # yaml-language-server: $schema=recipe.schema.json
    """
    from rankelastor.storage import whole_file

    if explain is not None:
        _explain(explain, output_file, markdown=markdown)
        return
    text, written = _page() if markdown else _json_schema()
    if output_file is None:
        typer.echo(text, nl=False)
        return
    with whole_file(output_file) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print_words(f"{output_file}: {written}")


def _explain(path: str, output_file: Path | None, *, markdown: bool) -> None:
    from rankelastor.recipes.explain_setting import explain_setting

    if output_file is not None or markdown:
        other = "--markdown" if markdown else f"the file {output_file}"
        raise SettingsError(f"--explain must stand alone, but {other} was given, too; leave one of them out")
    typer.echo(explain_setting(path, width=min(console.width, _WIDEST)))


def _page() -> tuple[str, str]:
    from rankelastor.cli.settings_page import settings_page

    return settings_page(), "page of settings"


def _json_schema() -> tuple[str, str]:
    from rankelastor.recipes.json_schema import recipe_json_schema

    return json.dumps(recipe_json_schema(), indent=2) + "\n", "JSON schema of recipes"
