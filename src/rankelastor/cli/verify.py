"""`rankelastor verify`: check every file of a run folder, a prepared folder or a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import print_json, print_words
from rankelastor.errors import RunError

if TYPE_CHECKING:
    from rankelastor.runs.verify import Verification


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify", epilog="Example: rankelastor verify runs/frappe-rankelastor")(verify)


def verify(
    folder: Annotated[Path, typer.Argument(metavar="PLACE", help="A run folder, a prepared folder or a bundle.")],
    as_json: AsJson = False,
) -> None:
    """Check every file of a run folder, a prepared folder or a bundle against its checksum, and its parts together.

    Says what is damaged; the exit code is 2 if anything is. The example rows of a bundle are scored again. Folders of
    earlier versions have no checksums: counts, shapes and ranges of values are checked there.
    """
    from rankelastor.bundles.verify import verify

    found = verify(folder)
    if as_json:
        print_json(_plain(found))
    else:
        print_words(_words(found))
    if not found.is_whole:
        named = ", ".join(found.damage)
        raise RunError(f"{folder} must be whole, but is damaged in {named}; restore it from a copy, or make it anew")


def _plain(found: Verification) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "kind": found.kind,
        "is_whole": found.is_whole,
        "num_files": found.num_files,
        "num_bytes": found.num_bytes,
        "damage": found.damage,
        "unchecked": list(found.unchecked),
    } | ({"scores": scores} if (scores := getattr(found, "scores", "")) else {})


def _words(found: Verification) -> str:
    kind = {"run": "run folder", "prepared": "prepared folder", "bundle": "bundle"}[found.kind]
    lines = [f"{name or found.folder}: {damage}" for name, damage in found.damage.items()]
    if found.num_files:
        state = "all are whole" if found.is_whole else f"{len(found.damage)} damaged"
        lines.append(f"{kind} {found.folder}: {found.num_files} files, {found.num_bytes:,} bytes; {state}")
    elif found.is_whole:
        lines.append(
            f"{kind} {found.folder}: written by an earlier version, without checksums; counts, shapes and ranges of "
            "values are right"
        )
    if scores := getattr(found, "scores", ""):
        lines.append(scores)
    if found.num_files and found.unchecked:
        lines.append(f"without a checksum: {', '.join(found.unchecked)}")
    return "\n".join(lines)
