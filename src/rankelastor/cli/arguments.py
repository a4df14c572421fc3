"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe: YAML settings of one experiment.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that `rankelastor train` made.")]
PreparedPath = Annotated[
    Path | None,
    typer.Option(
        "--prepared",
        metavar="DIR",
        help="The prepared folder, if it was moved since the training.",
        show_default="where the recipe says, then where it was",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a setting, as in --set training.seed=2. Repeatable."),
]
