"""Arguments and options that several verbs share, and what they mean."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rankelastor.errors import RunError

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe: YAML settings of one experiment.")]
RunPath = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="A run folder that `rankelastor train` made, or a bundle; a pattern of one run will do."
    ),
]
RunPatterns = Annotated[
    list[Path],
    typer.Argument(metavar="RUN", help="Run folders or bundles, or patterns of folders such as 'runs/a-*'."),
]
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]


def processes_option(meaning: str, *, default: str = "1") -> Any:
    """Declare ``--processes`` of a verb: a number of processes of this machine.

    Args:
        meaning: what the verb does with them.
        default: in words, what happens without it.
    """
    return typer.Option("--processes", metavar="N", min=1, help=meaning, show_default=default)


class Measure(StrEnum):
    """Names of the measures of rank, as values of an option."""

    stable_rank = "stable_rank"
    entropy_effective_rank = "entropy_effective_rank"
    participation_ratio = "participation_ratio"
    information_abundance = "information_abundance"
    numerical_rank = "numerical_rank"


MEASURE_HELP = f"Measure of the table and the paper figures, one of {', '.join(Measure)}; the page has all of them."


def find_runs(patterns: Iterable[Path]) -> list[Path]:
    """List the run folders that are named or that match patterns, those of a pattern in order of name.

    A path that exists is taken as it is, even if it looks like a pattern. A pattern skips what is no run folder, and
    what stands there already.

    Raises:
        RunError: no run folder matches a pattern.
    """
    found: list[Path] = []
    for pattern in patterns:
        if pattern.exists() or not glob.has_magic(str(pattern)):
            found.append(pattern)
        else:
            found += [run for run in _matches(pattern) if run not in found]
    return found


def find_run(pattern: Path) -> Path:
    """Return the run folder that is named or that alone matches a pattern.

    Raises:
        RunError: no run folder matches, or several do.
    """
    found = find_runs([pattern])
    if len(found) > 1:
        names = ", ".join(map(str, found[:5])) + (f" and {len(found) - 5} more" if len(found) > 5 else "")  # noqa: PLR2004
        raise RunError(f"RUN must match one run folder, but {pattern} matches {len(found)}: {names}; name one of them")
    return found[0]


def _matches(pattern: Path) -> list[Path]:
    found = [path for path in map(Path, sorted(glob.glob(str(pattern)))) if (path / "config.yaml").is_file()]  # noqa: PTH207 - patterns may be absolute
    if not found:
        raise RunError(
            f"a pattern of runs must match a run folder, but none matches {pattern}; see what {_parent(pattern)} holds"
        )
    return found


def _parent(pattern: Path) -> Path:
    """Return the innermost folder of a pattern that is not itself a pattern."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))
