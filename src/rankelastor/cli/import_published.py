"""`rankelastor import-published`: make a run folder of a checkpoint of the published code."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.cli.import_fuxictr import print_notes

if TYPE_CHECKING:
    from rankelastor.interop.imported_rows import MatchedValues


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "import-published",
        epilog="Example: rankelastor import-published best.model --settings config --data data.yaml --run runs/theirs",
    )(import_published)


def import_published(  # noqa: PLR0917 - options of a command line
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="The file of tensors that the published code saved.")
    ],
    settings: Annotated[
        Path,
        typer.Option(
            "--settings",
            metavar="DIR",
            help="FuxiCTR's settings: model_config.yaml, dataset_config.yaml, and feature_map.json and "
            "feature_vocab.json beside them or in data_root/dataset_id.",
        ),
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="RECIPE", help="A recipe whose data the checkpoint was trained on.")
    ],
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="The run folder to write, which must be new.")],
    expid: Annotated[
        str | None, typer.Option("--expid", metavar="ID", help="The experiment, where the settings hold several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a run folder of a checkpoint that was trained with the published RankElastor code.

    The folder evaluates, predicts and shows its spectrum like any other. The recipe must have the checkpoint's fields
    in the same order; embedding rows are brought into the order of its vocabularies, value by value.
    """
    from rankelastor.interop.import_published import import_published as make_run

    imported = make_run(checkpoint, settings=settings, data=data, run=run, expid=expid)
    if as_json:
        notes, matched = ([asdict(each) for each in found] for found in (imported.notes, imported.matched))
        print_json({"run": str(run), "notes": notes, "matched": matched})
        return
    print_notes(imported.notes)
    _print_matched(imported.matched)
    print_words(f"{run}: run folder of {checkpoint}\nNow: rankelastor evaluate {run}, predict, spectrum")


def _print_matched(matched: tuple[MatchedValues, ...]) -> None:
    """Print the fields of which one side knows values that the other does not."""
    different = [each for each in matched if each.num_unknown or each.num_lost]
    if not different:
        return
    table = FittedTable("field", "values here", "unknown to the checkpoint", "known to it alone", left=1)
    for each in different:
        table.add_row(Text(each.field), f"{each.num_values:,}", f"{each.num_unknown:,}", f"{each.num_lost:,}")
    console.print("[bold]Values that only one side knows; they score as out of vocabulary[/]")
    console.print(table, highlight=False)
    console.print()
