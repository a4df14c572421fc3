"""`rankelastor study`: run a grid of trainings, and see what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankelastor.cli.arguments import AsJson
from rankelastor.cli.console import print_json, print_words
from rankelastor.cli.verb_group import VerbGroup

if TYPE_CHECKING:
    from rankelastor.studies.work.run_study import StudyResults

_GROUP_EXAMPLE = (
    "Example: rankelastor study run studies/map.yaml --jobs 2  |  rankelastor study report studies/map.yaml"
)

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="A study: YAML of recipes, axes and seeds.")]
StudyFolderPath = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="DIR",
        help="The folder of the study: new, or one that goes on.",
        show_default="study/NAME",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb and its subcommands."""
    group = typer.Typer(
        help="Run a grid of trainings from one file, and see which differences are real.",
        epilog=_GROUP_EXAMPLE,
        cls=VerbGroup,
        rich_markup_mode="rich",
    )
    group.command(
        "run",
        epilog="Example: rankelastor study run studies/map.yaml --jobs 2  |  "
        "rankelastor study run studies/map.yaml --only 'full_mixing*/*/seed=1'",
    )(run)
    app.add_typer(group, name="study")


def run(  # noqa: PLR0917 - typer's arguments
    study: StudyPath,
    to: StudyFolderPath = None,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", min=1, help="Trainings at a time, each in a process of its own.")
    ] = 1,
    only: Annotated[
        str, typer.Option("--only", metavar="PATTERN", help="Only runs whose keys match, such as 'rankmixer/*'.")
    ] = "*",
    again: Annotated[bool, typer.Option("--again", help="Try runs that failed once more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run what a study lacks: every combination of its recipes, axes and seeds that has no line of results yet.

    Each run adds one line to results.jsonl in the folder of the study, with all that repeats it. A run that fails is
    noted with its reason and stops nothing else. Ctrl-C stops; the same command goes on, also after a kill.

    The file names base recipes (files or settings), axes that move any setting by its path or several together under
    one name, seeds, metrics and a budget. docs/studies.md shows one from the first line to the report.
    """
    from rankelastor.cli.progress import Bar
    from rankelastor.cli.stop_signals import stopping_between_steps
    from rankelastor.cli.study_view import StudyView
    from rankelastor.execution.allocator import keep_large_blocks
    from rankelastor.studies.work.run_study import run_study

    keep_large_blocks()
    with Bar() as bar, stopping_between_steps() as interruption:
        results = run_study(
            study,
            folder=to,
            jobs=jobs,
            only=only,
            again=again,
            listener=StudyView(bar),
            progress=bar if jobs == 1 else None,
            interruption=interruption,
        )
    if as_json:
        print_json(_facts(results))
        return
    _say(results, study)


def _facts(results: StudyResults) -> dict[str, object]:
    return {
        "folder": str(results.folder.path),
        "finished": [line.key for line in results.lines if line.is_finished],
        "failed": {line.key: line.reason for line in results.lines if not line.is_finished},
        "missing": list(results.missing),
    }


def _say(results: StudyResults, study: Path) -> None:
    failed = [line for line in results.lines if not line.is_finished]
    print_words(f"{len(results.lines) - len(failed)} of {len(results.lines) + len(results.missing)} runs are finished")
    for line in failed:
        print_words(f"failed: {line.key}: {line.reason}")
    if results.missing:
        print_words(f"{len(results.missing)} runs are missing, since budget.minutes is used up; raise it to go on")
    print_words(f"results: {results.folder.results}\nNext: rankelastor study report {study}")
