"""Write the report of a study: a page, Markdown, a CSV file for each table, and the figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rankelastor.errors import RunError
from rankelastor.storage import whole_file
from rankelastor.studies.findings.cells import cells_of
from rankelastor.studies.ledger import read_ledger
from rankelastor.studies.plan.grid import Plan, plan_study
from rankelastor.studies.plan.study_file import read_study
from rankelastor.studies.report.figures import figures_of
from rankelastor.studies.report.page import render_study
from rankelastor.studies.report.published import published_table
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
        ledger: file of published figures, of which the study names an entry in `paper`; None sets none beside.

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
        entry = read_ledger(ledger).entry(read.settings.paper)
        tables.insert(1, published_table(read.settings, cells_of(plan, lines), entry))
    return StudyReport(plan, tuple(lines), tuple(tables))


def write_study_report(report: StudyReport, folder: str | Path) -> Sequence[Path]:
    """Write ``report.html``, ``report.md``, ``figures.json`` and a CSV file for each table, and return their paths.

    Raises:
        StorageError: the folder cannot be written.
    """
    home, settings = Path(folder), report.plan.study.settings
    figures = figures_of(settings, cells_of(report.plan, report.lines))
    contents = {
        PAGE_FILE: render_study(settings, report.tables, figures, summary=report.summary),
        MARKDOWN_FILE: report.as_markdown(),
        FIGURES_FILE: json.dumps(figures, allow_nan=False) + "\n",
        **{f"{table.name}.csv": table.as_csv() for table in report.tables},
    }
    for name, text in contents.items():
        with whole_file(home / name) as file:
            file.write_text(text, encoding="utf-8")
    return [home / name for name in contents]
