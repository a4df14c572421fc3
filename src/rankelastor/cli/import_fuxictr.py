"""`rankelastor import-fuxictr`: convert an experiment of FuxiCTR to a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from rankelastor.cli.console import console

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
    force: Annotated[bool, typer.Option("--force", help="Replace RECIPE if it exists.")] = False,
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
    _print_notes(imported.notes)
    data = imported.recipe.data
    console.print(
        f"{to}: recipe of {expid}\nIt reads {data.files.folder} (relative to the working directory): change "
        f"data.files.folder if the files are elsewhere, then rankelastor train {to}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _print_notes(notes: tuple[Note, ...]) -> None:
    from rankelastor.interop.fuxictr.notes import OUTCOMES

    for outcome, heading in OUTCOMES.items():
        chosen = [note for note in notes if note.outcome == outcome]
        if not chosen:
            continue
        table = Table("setting", "value", "result of the import", box=None, pad_edge=False, header_style="dim")
        table.columns[0].overflow = table.columns[1].overflow = "fold"
        for note in chosen:
            table.add_row(escape(note.setting), escape(str(note.value)), escape(note.text))
        console.print(f"[bold]{heading[0].upper()}{heading[1:]}[/]")
        console.print(table, highlight=False)
        console.print()
