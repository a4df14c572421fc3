"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe: YAML settings of one experiment.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that `rankelastor train` made.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as in --set training.seed=2. Repeatable."),
]
