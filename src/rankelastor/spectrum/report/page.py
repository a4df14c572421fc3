"""Render the HTML page of the report from its template, style sheet, scripts, plotly and the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from plotly.offline import get_plotlyjs

_TEMPLATE = "page.html"
_SCRIPTS = (
    "theme.js",
    "words.js",
    "figures.js",
    "densities.js",
    "training_figure.js",
    "matrix_figures.js",
    "tables.js",
    "page.js",
)


def render_page(payload: Mapping[str, Any]) -> str:
    """Render self-contained HTML that loads nothing from the network; ``payload`` is from `payload.page_payload`."""
    parts = {
        "style": shared_asset("page.css"),
        "plotly": get_plotlyjs(),
        "data": json_for_script(payload),
        "script": "\n".join(shared_asset(name) for name in _SCRIPTS),
    }
    return fill_template(shared_asset(_TEMPLATE), parts)


def fill_template(template: str, parts: Mapping[str, str]) -> str:
    """Put parts in the places of a template that have their names.

    Example:
        >>> fill_template("<p>{{word}}</p>", {"word": "rank"})
        '<p>rank</p>'
    """
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", maxsplit=1)
        filled += [parts[name], rest]
    return "".join(filled)


def shared_asset(name: str) -> str:
    """Read a style sheet, a script or a template that pages are made of."""
    return (files("rankelastor.spectrum.report") / "assets" / name).read_text(encoding="utf-8")


def json_for_script(values: Mapping[str, Any]) -> str:
    r"""Serialise to JSON that cannot close its script element: names of runs and fields are untrusted input.

    Example:
        >>> print(json_for_script({"run": "</script><b>"}))
        {"run":"\u003c/script>\u003cb>"}
    """
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
