"""`rankelastor export`: write a ranker for other runtimes."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.cli.arguments import AsJson, RunPath, find_run
from rankelastor.cli.console import print_json, print_words


class Format(StrEnum):
    """Names of the formats, as values of an option."""

    onnx = "onnx"
    pt2 = "pt2"
    aoti = "aoti"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("export", epilog="Example: rankelastor export model.rank exported --format onnx")(export)


def export(
    run: RunPath,
    to: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="onnx, pt2 (torch.export), or aoti: native code for this processor, which needs a C++ compiler.",
        ),
    ] = Format.onnx,
    force: Annotated[bool, typer.Option("--force", help="Replace DIR if an earlier export wrote it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a ranker for other runtimes: ids and numbers in, calibrated probabilities out, for batches of any size.

    Members of an ensemble and calibrators are inside the graph. The folder also holds the encoding of the fields as
    JSON and a reference encoder of one file. What was written is scored and compared with the ranker, and refused if a
    probability differs by more than 1e-5.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.this_process import begin_to_work
    from rankelastor.export.export_run import export_run

    begin_to_work()
    with Bar() as bar:
        done = export_run(find_run(run), to, output_format=form.value, overwrite=force, progress=bar)
    found = done.agreement
    if as_json:
        print_json(
            {"folder": str(to), "file": done.file, "num_bytes": done.num_bytes, "rows": done.rows, **asdict(found)}
        )
        return
    print_words(
        f"{to / done.file}: {found.num_rows} {done.rows} rows have the ranker's probabilities within "
        f"{max(found.largest_difference, 1e-12):.0e}, in batches of {', '.join(map(str, found.batch_sizes))}\n"
        f"{to}: {done.num_bytes:,} bytes, with encoding.json and encode.py"
    )
