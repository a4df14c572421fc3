"""`rankelastor init`: draft a commented recipe for a log of one's own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from rankelastor.cli.console import console, error_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankelastor.drafting.draft import Draft
    from rankelastor.drafting.log_file import LogSample
    from rankelastor.drafting.profile import ColumnProfile


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("init", epilog="Example: rankelastor init clicks.csv --label click")(init)


def init(  # noqa: PLR0917 - typer's arguments
    log_file: Annotated[
        Path, typer.Argument(metavar="LOG", help="A log: CSV, TSV, Parquet, Arrow IPC or ORC, one row a show.")
    ],
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="COLUMN", help="The column to predict.", show_default="asked for"),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option("--positive", metavar="VALUE", help="The label that counts as 1.", show_default="as it looks"),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="The recipe to write.", show_default="LOG.yaml, here")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the recipe if it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was inferred as JSON.")] = False,
) -> None:
    """Draft a recipe for a log: the kind of every column, split, batch and model size, each with its reason.

    The recipe trains as it stands. Its comments hold the reasons, so that you can change what you know better.
    """
    from rankelastor.cli.this_process import begin_to_work
    from rankelastor.drafting.infer import infer_from_profiles
    from rankelastor.drafting.log_file import read_log
    from rankelastor.drafting.profile import profile_table
    from rankelastor.drafting.recipe_text import recipe_text
    from rankelastor.errors import SettingsError
    from rankelastor.recipes.load import load_recipe
    from rankelastor.storage import whole_file

    begin_to_work()
    name = _name_of(log_file)
    recipe = to or Path(f"{name}.yaml")
    if recipe.exists() and not force:
        raise SettingsError(
            f"{recipe} exists already and is kept; give another place by --to, or --force to replace it"
        )
    log = read_log(log_file)
    profiles = profile_table(log.table)
    draft = infer_from_profiles(
        profiles, label=label or _ask_for_label(profiles), positive=positive, num_rows=log.num_rows
    )
    with whole_file(recipe) as temporary:
        temporary.write_text(recipe_text(draft, log, name=name), encoding="utf-8")
    load_recipe(recipe)
    if as_json:
        typer.echo(json.dumps(draft.as_dict() | {"recipe": str(recipe)}, indent=2, ensure_ascii=False))
        return
    _show(draft, log, recipe)


def _name_of(file: Path) -> str:
    """Make the name of the experiment from that of the file, without its endings."""
    plain = file.name
    while (
        shorter := re.sub(
            r"\.(csv|tsv|txt|parquet|pq|feather|arrow|ipc|orc|gz|zst|bz2|lz4|xz|zip)$", "", plain, flags=re.IGNORECASE
        )
    ) != plain:
        plain = shorter
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._") or "log"


def _ask_for_label(profiles: Sequence[ColumnProfile]) -> str | None:
    """Ask which column is the label where its name does not say it; None leaves it to ``infer``."""
    from rankelastor.drafting.label import label_candidates, surest_candidate
    from rankelastor.errors import SettingsError

    candidates = [profile.name for profile in label_candidates(profiles)]
    if surest_candidate(profiles) is not None:
        return None
    if not candidates:
        raise SettingsError(
            "--label must name the column to predict, since no column has two values and no blank; add --positive for "
            "the value that counts as 1, as in --label rating --positive 5"
        )
    if not is_terminal():
        raise SettingsError(
            f"--label must name the column to predict, since {', '.join(candidates)} could be it and there is no "
            f"terminal to ask at; try --label {candidates[0]}"
        )
    error_console.print(f"Columns with two values: {', '.join(candidates)}", highlight=False, markup=False)
    answer: str = typer.prompt("Which column is the label?", default=candidates[0], err=True)
    return answer


def is_terminal() -> bool:
    """Tell whether standard input and standard error are a terminal, so that a question can be asked and answered."""
    return sys.stdin.isatty() and error_console.is_terminal


def _show(draft: Draft, log: LogSample, recipe: Path) -> None:
    rows = f"{log.num_rows:,} rows" if log.is_whole else f"about {log.num_rows:,} rows, {log.table.num_rows:,} read"
    csv = "" if log.csv is None else f"; {log.csv.reason}"
    _say(f"{log.file}: {rows}{csv}")
    table = Table("column", "kind", "why", box=None, pad_edge=False, header_style="bold")
    table.add_row(Text(draft.label.value.column), "label", Text(draft.label.reason))
    for column in draft.columns:
        left_out = not column.fields
        style = "dim" if left_out else ""
        table.add_row(Text(column.column), column.kinds, Text(column.reason), style=style)
    console.print(table)
    _say(f"\nsplit: {draft.split.value.kind} ({draft.split.reason})")
    if draft.blanks.value:
        _say(f"blanks: {', '.join(draft.blanks.value)} ({draft.blanks.reason})")
    _say(f"model: {draft.model.reason}")
    _say(f"training: batches of {draft.training.value.batch_size:,}; {draft.training.reason}")
    _say(f"recipe: {recipe}\nNext: rankelastor train {recipe}")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
