"""`rankelastor import-fuxictr`: convert an experiment of FuxiCTR to a recipe."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from rankelastor.cli.arguments import AsJson, Force
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable

if TYPE_CHECKING:
    from rankelastor.interop.fuxictr.notes import Note


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "import-fuxictr",
        epilog="Example: rankelastor import-fuxictr FuxiCTR/config --expid DCN_criteo --to criteo.yaml",
    )(import_fuxictr)


def import_fuxictr(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of model_config.yaml and dataset_config.yaml.")
    ],
    expid: Annotated[str, typer.Option("--expid", metavar="ID", help="The experiment in the model's settings.")],
    to: Annotated[Path, typer.Option("--to", metavar="RECIPE", help="The recipe file to write.")],
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Convert an experiment of FuxiCTR (or of the published RankElastor code) to a recipe.

    Settings without an equivalent here, and settings that FuxiCTR itself accepts and ignores, are listed and written
    as comments in the recipe. An experiment of another model keeps its data and training and gets a RankElastor.
    """
    from rankelastor.errors import SettingsError
    from rankelastor.interop.fuxictr.convert import import_experiment
    from rankelastor.storage import whole_file

    if to.exists() and not force:
        raise SettingsError(f"--to must be a new file, but {to} exists; try another name, or --force to replace it")
    imported = import_experiment(folder, expid)
    with whole_file(to) as temporary:
        temporary.write_text(imported.text(), encoding="utf-8")
    if as_json:
        print_json({"recipe": str(to), "notes": [asdict(note) for note in imported.notes]})
        return
    print_notes(imported.notes)
    data = imported.recipe.data
    print_words(
        f"{to}: recipe of {expid}\nIt reads {data.files.folder} (relative to the working directory): change "
        f"data.files.folder if the files are elsewhere, then rankelastor train {to}"
    )


def print_notes(notes: tuple[Note, ...]) -> None:
    """Print what an import says of settings, a table for each outcome."""
    from rankelastor.interop.fuxictr.notes import OUTCOMES

    for outcome, heading in OUTCOMES.items():
        chosen = [note for note in notes if note.outcome == outcome]
        if not chosen:
            continue
        table = FittedTable("setting", "value", "result of the import", left=3, header_style="dim")
        table.columns[0].overflow = table.columns[1].overflow = "fold"
        for note in chosen:
            table.add_row(Text(note.setting), Text(str(note.value)), Text(note.text))
        console.print(f"[bold]{heading[0].upper()}{heading[1:]}[/]")
        console.print(table, highlight=False)
        console.print()
