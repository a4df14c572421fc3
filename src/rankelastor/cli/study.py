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
    group.command("table", epilog="Example: rankelastor study table studies/map.yaml --table differences_auc")(table)
    group.command("plot", epilog="Example: rankelastor study plot studies/map.yaml --figures figures")(plot)
    group.command("report", epilog="Example: rankelastor study report studies/map.yaml")(report)
    group.command("refresh", epilog="Example: rankelastor study refresh docs/results.md")(refresh)
    app.add_typer(group, name="study")


LedgerPath = Annotated[
    Path | None,
    typer.Option("--published", metavar="FILE", help="Published figures to set beside, such as docs/published.yaml."),
]
ResultsPath = Annotated[
    Path | None,
    typer.Option(
        "--results", metavar="FILE", help="Results to read, such as committed ones.", show_default="those in the folder"
    ),
]


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
    from rankelastor.cli.this_process import begin_to_compute
    from rankelastor.studies.work.run_study import run_study

    begin_to_compute()
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


def table(  # noqa: PLR0917 - typer's arguments
    study: StudyPath,
    to: StudyFolderPath = None,
    results: ResultsPath = None,
    published: LedgerPath = None,
    name: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="Only this table.", show_default="all tables")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of Markdown.")] = False,
) -> None:
    """Print what a study shows so far: means and spread, paired differences, Pareto fronts, rank and AUC, fits.

    Differences are tested by a paired t-test over the seeds and corrected for their number by Holm; each table says the
    smallest difference that it can tell apart.
    """
    from rankelastor.studies.report.write import report_of

    found = report_of(study, folder=to, results=results, ledger=published)
    tables = found.tables if name is None else (found.table(name),)
    if as_csv:
        typer.echo("\n".join(each.as_csv() for each in tables), nl=False)
    elif name is None:
        typer.echo(found.as_markdown(), nl=False)
    else:
        typer.echo(found.table(name).as_markdown())


def plot(
    study: StudyPath,
    to: StudyFolderPath = None,
    results: ResultsPath = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures", metavar="DIR", help="Folder of the figures.", show_default="report/figures of the study"
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--figure", metavar="NAME", help="Only this figure.", show_default="all figures")
    ] = None,
) -> None:
    """Draw the figures of a study for papers and slides: PNG, SVG and PDF.

    Differences with their intervals, AUC by dense parameters, scaling curves, rank by stage, and rank against AUC. The
    page of `study report` shows the same figures, with values as one points at them.
    """
    from rankelastor.studies.report.write import report_of, write_study_figures

    found = report_of(study, folder=to, results=results)
    folder = figures or (to or Path("study") / found.plan.study.name) / "report" / "figures"
    written = write_study_figures(found, folder, only=name)
    print_words("\n".join(f"figure: {path}" for path in written))


def report(
    study: StudyPath, to: StudyFolderPath = None, results: ResultsPath = None, published: LedgerPath = None
) -> None:
    """Write the report of a study: one HTML page that loads nothing, Markdown, and a CSV file for each table."""
    from rankelastor.studies.report.write import report_of, write_study_report

    found = report_of(study, folder=to, results=results, ledger=published)
    folder = to or Path("study") / found.plan.study.name
    written = write_study_report(found, folder / "report")
    for sentence in found.summary:
        print_words(sentence)
    print_words(f"report: {written[0]}")


def refresh(
    page: Annotated[Path, typer.Argument(metavar="PAGE", help="A Markdown page with blocks of studies.")],
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if a table is stale.")] = False,
) -> None:
    """Make the tables of a page anew from committed results.

    A table stands between `<!-- study STUDY RESULTS TABLE -->` and `<!-- end -->`; paths start from the current folder.
    """
    from rankelastor.studies.report.blocks import refresh_page, refreshed

    if check:
        text = page.read_text(encoding="utf-8")
        if refreshed(text, root=Path()) != text:
            print_words(f"{page}: tables are stale; `rankelastor study refresh {page}`")
            raise typer.Exit(1)
        print_words(f"{page}: all tables are up to date")
        return
    changed = refresh_page(page)
    print_words(f"{page}: {'tables were made anew' if changed else 'all tables are up to date'}")
