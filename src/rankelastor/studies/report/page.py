"""The page of a study: its question, its tables and its figures in one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from plotly.offline import get_plotlyjs

import rankelastor
from rankelastor.spectrum.report.page import fill_template, json_for_script, shared_asset
from rankelastor.studies.plan.settings import StudySettings
from rankelastor.studies.report.figures import Figure
from rankelastor.studies.report.table import ReportTable


def render_study(
    study: StudySettings, tables: Sequence[ReportTable], figures: Sequence[Figure], *, summary: Sequence[str]
) -> str:
    """Render self-contained HTML; names of recipes and reasons of failures are untrusted input and are escaped.

    Args:
        study: the study.
        tables: its tables.
        figures: its figures, see ``figures_of``.
        summary: sentences for the beginning.
    """
    return render_report("Study", study.name, study.question, tables, figures, summary=summary)


def render_report(
    kicker: str,
    title: str,
    question: str,
    tables: Sequence[ReportTable],
    figures: Sequence[Figure],
    *,
    summary: Sequence[str],
) -> str:
    """Render self-contained HTML of tables and figures; all texts are untrusted input and are escaped.

    Args:
        kicker: what is reported on: a study, for example.
        title: its name.
        question: what it asks.
        tables: the tables.
        figures: the figures, as plain values for the script of the page.
        summary: sentences for the beginning.
    """
    parts = {
        "style": shared_asset("page.css"),
        "kicker": escape(kicker),
        "title": escape(title),
        "question": escape(question),
        "summary": "\n".join(f"<p>{escape(sentence)}</p>" for sentence in summary),
        "figures": "\n".join(_figure(place, figure) for place, figure in enumerate(figures)),
        "tables": "\n".join(_section(table) for table in tables),
        "made_by": escape(f"rankelastor {rankelastor.__version__}"),
        "plotly": get_plotlyjs(),
        "data": json_for_script({"figures": list(figures)}),
        "script": "\n".join([shared_asset("theme.js"), _own("study.js")]),
    }
    return fill_template(_own("study.html"), parts)


def _figure(place: int, figure: Figure) -> str:
    title, caption = escape(figure["title"]), escape(figure["caption"])
    return (
        f'<section aria-labelledby="f{place}"><h2 id="f{place}">{title}</h2><figure>'
        f'<div class="plot" id="figure-{place}" role="img" aria-label="{title}"></div>'
        f"<figcaption>{caption}</figcaption></figure></section>"
    )


def _section(table: ReportTable) -> str:
    head = "".join(f"<th{_side(column.kind)}>{escape(column.title)}</th>" for column in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_side(column.kind)}>{escape(text)}</td>"
            for text, column in zip(table.texts(row), table.columns, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    notes = "".join(f'<p class="below">{escape(note)}</p>' for note in table.notes)
    name, title = escape(table.name), escape(table.title)
    return (
        f'<section aria-labelledby="t-{name}"><h2 id="t-{name}">{title}</h2>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{notes}</section>"
    )


def _side(kind: str) -> str:
    return ' class="text"' if kind == "text" else ""


def _own(name: str) -> str:
    return (files("rankelastor.studies.report") / "assets" / name).read_text(encoding="utf-8")
