"""`rankelastor bundle`: write a run to one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import Force, RunPath, find_run
from rankelastor.cli.console import print_words

SampledNegatives = Annotated[
    float | None,
    typer.Option(
        "--sampled-negatives",
        metavar="RATE",
        help="Share of the rows with label 0 that the log of the training still held: probabilities are corrected.",
        show_default="all",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("bundle", epilog="Example: rankelastor bundle runs/frappe-rankelastor model.rank")(bundle)


def bundle(  # noqa: PLR0917 - typer passes keyword arguments
    run: RunPath,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle to write, such as model.rank.")],
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            metavar="FILE",
            help="Where the example rows are taken from: the first 100.",
            show_default="the raw files of the run",
        ),
    ] = None,
    no_examples: Annotated[
        bool, typer.Option("--no-examples", help="Leave the example rows out, which are rows of the log.")
    ] = False,
    hash_vocabularies: Annotated[
        bool,
        typer.Option(
            "--hash-vocabularies",
            help="Put salted hashes in place of the values of vocabularies; also leaves rows out.",
        ),
    ] = False,
    sampled_negatives: SampledNegatives = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave intervals and spectrum out of the card, which score the test split.")
    ] = False,
    force: Force = False,
) -> None:
    """Write a finished run to one file that scores anywhere: weights, vocabularies, recipe, metrics and a model card.

    Verbs that take a run take the file, too, without the raw data and the prepared folder. It holds data of people if
    the log does: the card in it says what.
    """
    from rankelastor.bundles.make import BundleOptions, bundle_run
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_work

    begin_to_work()
    options = BundleOptions(
        with_examples=not no_examples,
        hash_vocabularies=hash_vocabularies,
        sampled_negatives=sampled_negatives,
        measure=not quick,
    )
    with Bar() as bar:
        index = bundle_run(find_run(run), target, rows=rows, options=options, overwrite=force, progress=bar)
    held = f"{index.num_examples} example rows" if index.num_examples else "no example rows"
    values = "hashed vocabularies" if index.hashed_vocabularies else "vocabularies"
    print_words(f"{target}: {index.name}, {target.stat().st_size:,} bytes, with {values} and {held}")
