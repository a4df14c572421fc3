"""Importances as a figure that works offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plotly import graph_objects

from rankelastor.errors import SettingsError
from rankelastor.explanations.importance import Importance
from rankelastor.storage import whole_file

_COLOUR = "#0072b2"
_ROW_PIXELS = 22


def require_page(path: str | Path) -> None:
    """Check that a name is that of an HTML page, before anything is measured.

    Raises:
        SettingsError: it has another ending.
    """
    path = Path(path)
    if path.suffix.lower() not in {".html", ".htm"}:
        raise SettingsError(f"a plot must be an HTML page, but {path.name} was given; try {path.with_suffix('.html')}")


def write_plot(found: Sequence[Importance], path: str | Path, *, title: str) -> None:
    """Draw the AUC that each column is worth, with intervals, into an HTML page that holds all it needs.

    Raises:
        SettingsError: the name is not that of an HTML page.
        StorageError: the file cannot be written.
    """
    require_page(path)
    rows = list(reversed(found))
    means = [each.auc.mean for each in rows]
    bars = graph_objects.Bar(
        x=means,
        y=[each.column for each in rows],
        orientation="h",
        marker={"color": _COLOUR},
        error_x={
            "array": [each.auc.high - each.auc.mean for each in rows],
            "arrayminus": [each.auc.mean - each.auc.low for each in rows],
        },
    )
    figure = graph_objects.Figure(bars)
    figure.update_layout(
        template="simple_white",
        title={"text": title, "font": {"size": 14}},
        xaxis={"title": "AUC lost when the column takes the values of other rows, with intervals of 95 %"},
        yaxis={"type": "category"},
        height=160 + _ROW_PIXELS * len(rows),
    )
    with whole_file(path) as temporary:
        figure.write_html(temporary, include_plotlyjs=True)
