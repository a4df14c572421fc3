"""The figures of a study for papers, as PNG, SVG and PDF, drawn with matplotlib (extra ``report``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from rankelastor.spectrum.report.figure_style import DASHES, HEIGHT, STYLE, WIDTH, colour_of, plain, save_figure
from rankelastor.studies.report.figures import Figure

_MARKERS = ("o", "s", "D", "P", "X", "^")
_ROW_INCHES, _STEP = 0.32, 0.16
_LEGEND_COLUMNS, _LEGEND_ROW_INCHES = 3, 0.22


def write_paper_figures(figures: Sequence[Figure], folder: str | Path) -> tuple[Path, ...]:
    """Draw each figure in three formats.

    Args:
        figures: the figures, see ``figures_of``.
        folder: output folder, created if it does not exist.

    Returns:
        The written files.

    Raises:
        StorageError: the folder cannot be written.
    """
    written: list[Path] = []
    with rc_context(STYLE):
        for figure in figures:
            written += save_figure(_drawn(figure), Path(folder) / figure["name"])
    return tuple(written)


def _drawn(figure: Figure) -> Canvas:
    legend_rows = math.ceil(len(figure["series"]) / _LEGEND_COLUMNS)
    canvas = Canvas(figsize=(WIDTH, HEIGHT + _LEGEND_ROW_INCHES * legend_rows), layout="constrained")
    axes = canvas.subplots()
    {"intervals": _intervals, "scatter": _scatter, "paths": _paths}[figure["kind"]](axes, figure)
    axes.set_title(plain(figure["title"]), fontsize=9)
    axes.set_xlabel(plain(figure["x"]))
    axes.set_ylabel(plain(figure["y"]))
    canvas.legend(loc="outside lower center", ncols=_LEGEND_COLUMNS, fontsize=7)
    return canvas


def _intervals(axes: Axes, figure: Figure) -> None:
    series = figure["series"]
    rows = list(dict.fromkeys(label for each in series for label in each["y"]))
    axes.figure.set_figheight(max(HEIGHT, 1.4 + _ROW_INCHES * len(rows)))  # type: ignore[union-attr]
    axes.axvline(0, color="0.7", linewidth=0.8)
    for index, each in enumerate(series):
        places = [rows.index(label) + (index - (len(series) - 1) / 2) * _STEP for label in each["y"]]
        ends = [
            [x - low for x, low in zip(each["x"], each["low"], strict=True)],
            [high - x for x, high in zip(each["x"], each["high"], strict=True)],
        ]
        axes.errorbar(
            each["x"], places, xerr=ends, fmt=_marker(index), markersize=4, linewidth=1, color=colour_of(index),
            label=plain(each["name"]),
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [plain(row) for row in rows])
    axes.invert_yaxis()


def _scatter(axes: Axes, figure: Figure) -> None:
    for index, each in enumerate(figure["series"]):
        axes.plot(each["x"], each["y"], _marker(index), markersize=4, color=colour_of(index), label=plain(each["name"]))
        if "line_x" in each:
            axes.plot(each["line_x"], each["line_y"], DASHES[index % len(DASHES)], color=colour_of(index))
    if figure.get("log"):
        axes.set_xscale("log")


def _paths(axes: Axes, figure: Figure) -> None:
    for index, each in enumerate(figure["series"]):
        axes.plot(
            range(len(each["y"])), each["y"], DASHES[index % len(DASHES)], marker=_marker(index), markersize=3,
            color=colour_of(index), label=plain(each["name"]),
        )  # fmt: skip
    longest = max((each["x"] for each in figure["series"]), key=len)
    axes.set_xticks(range(len(longest)), longest, rotation=90 if len(longest) > 8 else 0, fontsize=7)  # noqa: PLR2004


def _marker(index: int) -> str:
    return _MARKERS[index % len(_MARKERS)]
