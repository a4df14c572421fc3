"""Arguments that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Annotated

import typer

from rankelastor.errors import RunError

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe: YAML settings of one experiment.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that `rankelastor train` made.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as in --set training.seed=2. Repeatable."),
]


def matching_runs(runs: Sequence[Path]) -> list[Path]:
    """Resolve patterns such as ``runs/a-*`` that the shell left as they are; other paths stay as they are.

    Raises:
        RunError: a pattern matches no run folder.
    """
    found = []
    for run in runs:
        if run.exists() or not has_magic(str(run)):
            found.append(run)
            continue
        matching = sorted(Path(path) for path in glob(str(run), recursive=True))  # noqa: PTH207 - also absolute paths
        folders = [path for path in matching if (path / "config.yaml").is_file()]
        if not folders:
            raise RunError(f"a pattern must match run folders, but {run} matches none; `rankelastor train` makes one")
        found += [folder for folder in folders if folder not in found]
    return found
