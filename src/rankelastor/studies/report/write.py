"""Write the report of a study: a page, Markdown, a CSV file for each table, and the figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rankelastor.errors import RunError, SettingsError
from rankelastor.extras import how_to_install
from rankelastor.storage import whole_file
from rankelastor.studies.findings.cells import cells_of
from rankelastor.studies.ledger import read_ledger
from rankelastor.studies.plan.grid import Plan, plan_study
from rankelastor.studies.plan.study_file import read_study
from rankelastor.studies.report.figures import Figure, figures_of
from rankelastor.studies.report.page import render_study
from rankelastor.studies.report.published import published_tables
from rankelastor.studies.report.table import ReportTable
from rankelastor.studies.report.tables import tables_of
from rankelastor.studies.work.lines import RunLine, read_lines
from rankelastor.studies.work.study_folder import StudyFolder

PAGE_FILE, MARKDOWN_FILE, FIGURES_FILE = "report.html", "report.md", "figures.json"


@dataclass(frozen=True)
class StudyReport:
    """What a study shows so far.

    Attributes:
        plan: the grid.
        lines: its results.
        tables: its tables.
    """

    plan: Plan
    lines: tuple[RunLine, ...]
    tables: tuple[ReportTable, ...]

    @property
    def summary(self) -> tuple[str, ...]:
        """Say how much of the study has been run, and by which commits."""
        finished = [line for line in self.lines if line.is_finished]
        failed = len(self.lines) - len(finished)
        first = f"{len(finished)} of {len(self.plan.runs)} runs are finished"
        first += f", {failed} failed." if failed else "."
        hours = sum(line.seconds for line in finished) / 3600
        known = [line.environment for line in finished]
        commits = sorted({str(facts["commit"]) for facts in known if facts.get("commit")})
        processors = sorted({str(facts["processor"]) for facts in known if facts.get("processor")})
        return (
            first,
            f"{hours:.2f} hours of training; commit {', '.join(commits) or 'unknown'}; {', '.join(processors)}.",
        )

    def table(self, name: str) -> ReportTable:
        """Find a table by its name.

        Raises:
            RunError: the study has no such table.
        """
        found = {table.name: table for table in self.tables}
        if name not in found:
            raise RunError(f"the study {self.plan.study.name} has the tables {', '.join(found)}, but no {name!r}")
        return found[name]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures, as plain values that a page or a file draws."""
        return tuple(figures_of(self.plan.study.settings, cells_of(self.plan, self.lines)))

    def as_markdown(self) -> str:
        """Write all tables as Markdown."""
        settings = self.plan.study.settings
        parts = [f"# {settings.name}", *([settings.question] if settings.question else []), "\n".join(self.summary)]
        parts += [f"## {table.title}\n\n{table.as_markdown()}" for table in self.tables]
        return "\n\n".join(parts) + "\n"


def report_of(
    study: str | Path,
    *,
    folder: str | Path | None = None,
    results: str | Path | None = None,
    ledger: str | Path | None = None,
) -> StudyReport:
    """Read what a study has so far.

    Args:
        study: the study file.
        folder: its folder; None selects ``study/<name>``.
        results: a results file in place of that in the folder.
        ledger: file of published figures, of which the study names entries in `paper`; None sets none beside.

    Raises:
        RunError: there are no results, or they are of another study.
    """
    read = read_study(study)
    home = StudyFolder(folder or Path("study") / read.name)
    path = Path(results) if results is not None else home.results
    plan = plan_study(read, home.path)
    lines = [line for line in read_lines(path, study=read.name) if line.key in set(plan.keys)]
    if not lines:
        raise RunError(f"a report needs results, but {path} holds none of {read.name}; `rankelastor study run {study}`")
    tables = tables_of(plan, lines)
    if ledger is not None and read.settings.paper is not None:
        known, papers = read_ledger(ledger), read.settings.paper
        entries = [known.entry(name) for name in ((papers,) if isinstance(papers, str) else papers)]
        tables[1:1] = published_tables(read.settings, cells_of(plan, lines), entries)
    return StudyReport(plan, tuple(lines), tuple(tables))


def write_study_report(report: StudyReport, folder: str | Path) -> Sequence[Path]:
    """Write ``report.html``, ``report.md``, ``figures.json`` and a CSV file for each table, and return their paths.

    Raises:
        StorageError: the folder cannot be written.
    """
    home, figures = Path(folder), report.figures
    contents = {
        PAGE_FILE: render_study(report.plan.study.settings, report.tables, figures, summary=report.summary),
        MARKDOWN_FILE: report.as_markdown(),
        FIGURES_FILE: json.dumps(figures, allow_nan=False) + "\n",
        **{f"{table.name}.csv": table.as_csv() for table in report.tables},
    }
    for name, text in contents.items():
        with whole_file(home / name) as file:
            file.write_text(text, encoding="utf-8")
    return [home / name for name in contents]


def write_study_figures(report: StudyReport, folder: str | Path, *, only: str | None = None) -> Sequence[Path]:
    """Draw the figures as PNG, SVG and PDF, and return their paths.

    Args:
        report: what the study shows so far.
        folder: output folder, created if it does not exist.
        only: the name of one figure; None draws all.

    Raises:
        RunError: the study has no such figure.
        SettingsError: matplotlib is not installed.
        StorageError: the folder cannot be written.
    """
    if find_spec("matplotlib") is None:
        raise SettingsError(f"matplotlib must be installed to draw, but it is not; try {how_to_install('report')}")
    from rankelastor.studies.report.paper_figures import write_paper_figures  # noqa: PLC0415 - matplotlib is optional

    named = {figure["name"]: figure for figure in report.figures}
    if only is not None and only not in named:
        raise RunError(f"the study {report.plan.study.name} has the figures {', '.join(named)}, but no {only!r}")
    return write_paper_figures([each for name, each in named.items() if only in {None, name}], folder)
