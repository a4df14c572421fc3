"""Tables in pages that are made from committed results: a block names its study, its results and its table."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

from rankelastor.errors import RunError
from rankelastor.studies.report.write import StudyReport, report_of

_BLOCK = re.compile(
    r"(?P<begin><!-- study (?P<study>\S+) (?P<results>\S+) (?P<table>\S+)(?: (?P<ledger>\S+))? -->\n)"
    r"(?P<text>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)


def refreshed(text: str, *, root: Path) -> str:
    """Make the tables of a page anew.

    A block begins with ``<!-- study STUDY RESULTS TABLE -->``, whose paths start from ``root``, and ends with
    ``<!-- end -->``; what stands between is replaced. A table of published figures has their file behind its name.

    Raises:
        RunError: results are missing, or a study has no such table.
        SettingsError: a study cannot be read.
    """
    report = functools.cache(functools.partial(_report, root))
    return _BLOCK.sub(lambda found: f"{found['begin']}\n{_table(found, report)}\n\n{found['end']}", text)


def refresh_page(page: str | Path, *, root: str | Path = ".") -> bool:
    """Make the tables of a file anew, and return whether any has changed.

    Raises:
        RunError: the page has no block, or results are missing.
    """
    path = Path(page)
    before = path.read_text(encoding="utf-8")
    if _BLOCK.search(before) is None:
        raise RunError(f"{path} must hold a block `<!-- study STUDY RESULTS TABLE -->`, but holds none")
    after = refreshed(before, root=Path(root))
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def _table(found: re.Match[str], report: Callable[[str, str, str | None], StudyReport]) -> str:
    return report(found["study"], found["results"], found["ledger"]).table(found["table"]).as_markdown()


def _report(root: Path, study: str, results: str, ledger: str | None) -> StudyReport:
    return report_of(root / study, results=root / results, ledger=None if ledger is None else root / ledger)
