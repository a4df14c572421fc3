"""`rankelastor embeddings`: write the embedding vectors of a run by field and value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from rankelastor.cli.arguments import AsJson, RunPath, find_run
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("embeddings", epilog="Example: rankelastor embeddings runs/frappe-rankelastor --to vectors")(embeddings)


def embeddings(
    run: RunPath,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder to write, a Parquet file per field.")],
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME", help="Export this field alone. Repeatable.", show_default="all fields"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace DIR if an earlier export wrote it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the embedding vectors of a run, with value, count in train and id, ready for a nearest-neighbour index.

    The vectors are those that the model reads: pretrained ones are projected to its width. `embeddings.json` in the
    folder lists the files and the vector of values unseen in training.
    """
    from rankelastor.serving.embeddings import export_embeddings

    exported = export_embeddings(find_run(run), to, fields=fields, overwrite=force)
    if as_json:
        shapes = [
            {"field": each.field, "kind": each.kind, "values": len(each.ids), "width": each.vectors.shape[1]}
            for each in exported
        ]
        print_json({"folder": str(to), "fields": shapes})
        return
    table = FittedTable("field", "kind", "values", "width", left=2)
    for each in exported:
        table.add_row(escape(each.field), escape(each.kind), f"{len(each.ids):,}", str(each.vectors.shape[1]))
    console.print(table)
    print_words(f"\n{to}: vectors of {len(exported)} fields")
