"""`rankelastor data`: list the published data sets and fetch one."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import console, error_console, print_json, print_words
from rankelastor.cli.fitted_table import FittedTable
from rankelastor.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from rankelastor.data.published.catalogue import PublishedDataset

DATASET_IDS = ("Criteo_x1", "Avazu_x4", "KuaiVideo_x1", "TaobaoAd_x1", "Frappe_x1", "MovielensLatest_x1")
_SPLITS = ("train", "valid", "test")
_GROUP_EXAMPLE = "Example: rankelastor data fetch Frappe_x1"


def _complete_id(incomplete: str) -> list[str]:
    return [name for name in DATASET_IDS if name.lower().startswith(incomplete.lower())]


def register(app: typer.Typer) -> None:
    """Add the verb and its subcommands."""
    group = typer.Typer(
        help="List the published data sets, and fetch one for the recipes of its name.",
        epilog=_GROUP_EXAMPLE,
        cls=VerbGroup,
        rich_markup_mode="rich",
    )
    group.command("list", epilog="Example: rankelastor data list")(list_datasets)
    group.command(
        "fetch",
        epilog="Example: rankelastor data fetch Criteo_x1 --to /big/disk/Criteo_x1 --from /media/zips --accept-terms",
    )(fetch)
    app.add_typer(group, name="data")


def list_datasets(as_json: AsJson = False) -> None:
    """Show the published data sets, their numbers of rows, and which of them are on this machine."""
    from rankelastor.data.published.catalogue import DATASETS

    if as_json:
        print_json([_facts(dataset) for dataset in DATASETS])
        return
    table = FittedTable("ID", "train", "valid", "test", "here", "about")
    for column in table.columns[4:]:
        column.justify = "left"
    for dataset in DATASETS:
        rows = [dataset.num_rows(split) for split in _SPLITS]
        counts = ["-" if count is None else f"{count:,}" for count in rows]
        table.add_row(dataset.id, *counts, _where(dataset), dataset.about)
    console.print(table, highlight=False)
    console.print(
        "\n- : there is no such file; the test file is also used for early stopping.\n"
        "rankelastor data fetch ID shows the owner's terms and downloads; the recipes are recipes/<id>/*.yaml.",
        highlight=False,
    )


def fetch(
    dataset_id: Annotated[
        str,
        typer.Argument(metavar="ID", help=f"One of {', '.join(DATASET_IDS)}.", autocompletion=_complete_id),
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="The folder for its files.", show_default="$RANKELASTOR_DATA/ID"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PLACE",
            help="The URL of a mirror or a local folder that holds ID.zip.",
            show_default="the Hugging Face hub",
        ),
    ] = None,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="Accept the owner's terms without being asked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    r"""Download a published data set, check it against the published checksums, and unpack it.

    Shows the owner's terms and asks once. An interrupted download is resumed; if the data are there already, nothing
    is done. Without --to and RANKELASTOR_DATA the folder is data/ID, where the recipes of that data set look for it.
    The hub needs the extra `hub`; the message of a missing one says how to install it.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.data.published.catalogue import find_dataset
    from rankelastor.data.published.fetch import fetch as fetch_dataset

    dataset = find_dataset(dataset_id)
    folder = to or default_folder(dataset.id)
    with Bar() as bar:
        fetched = fetch_dataset(
            dataset,
            folder,
            place=source,
            accept=lambda shown: _show_and_ask(shown, accept_terms=accept_terms),
            progress=bar,
        )
    if as_json:
        print_json({"folder": str(folder), "was_there": fetched.was_there, **asdict(fetched.record)})
        return
    what = "is there already, nothing to do" if fetched.was_there else "is complete"
    print_words(f"{folder}: {dataset.id} {what}")
    for file in fetched.record.files:
        checked = "md5 as published" if file.published else "no md5 was published"
        print_words(f"  {file.name}  {file.num_bytes:,} bytes, {checked}")


def default_folder(dataset_id: str) -> Path:
    """Build the path of the folder in which the published recipes look for their data."""
    return Path(os.environ.get("RANKELASTOR_DATA") or "data") / dataset_id


def _facts(dataset: PublishedDataset) -> dict[str, object]:
    rows = {split: dataset.num_rows(split) for split in _SPLITS}
    here = {"folder": str(default_folder(dataset.id)), "is_here": bool(_where(dataset))}
    return {"id": dataset.id, "about": dataset.about, "num_rows": rows, **here}


def _where(dataset: PublishedDataset) -> str:
    folder = default_folder(dataset.id)
    return "yes" if all((folder / file.name).is_file() for file in dataset.files) else ""


def _show_and_ask(dataset: PublishedDataset, *, accept_terms: bool) -> bool:
    from rankelastor.errors import DataError

    error_console.print(
        f"{dataset.id} belongs to {dataset.owner}.\nTerms: {dataset.terms}.\nIn full: {dataset.terms_page}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if accept_terms:
        return True
    if not sys.stdin.isatty():
        raise DataError(
            f"the owner's terms of {dataset.id} must be accepted before it is fetched, but there is no terminal to ask "
            f"at; read {dataset.terms_page} and add --accept-terms"
        )
    return typer.confirm("Do you accept these terms?", default=False, err=True)
