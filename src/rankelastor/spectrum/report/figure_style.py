"""How figures for papers look, and the files that they become (matplotlib, extra ``report``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from rankelastor.storage import whole_file

FORMATS = ("png", "svg", "pdf")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The palette of Okabe and Ito (2008)."""
DASHES = ("-", "--", ":", "-.")
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text is kept as text, which publishers require
    "svg.fonttype": "none",
    "svg.hashsalt": "rankelastor",  # the same figure gives the same file
}
WIDTH, HEIGHT = 5.5, 3.2
"""Size in inches: slightly larger than one column of most journals."""


def save_figure(figure: Figure, path: Path) -> Sequence[Path]:
    """Write a figure in each format beside ``path``, whose name has no ending, and return the paths.

    Raises:
        StorageError: a file cannot be written.
    """
    written = []
    for ending in FORMATS:
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending)
        place = path.with_name(f"{path.name}.{ending}")
        with whole_file(place) as temporary:
            figure.savefig(temporary, format=ending, dpi=200, metadata=metadata)
        written.append(place)
    return written


def colour_of(index: int) -> str:
    """Return the colour of a series by its place."""
    return COLOURS[index % len(COLOURS)]


def plain(name: str) -> str:
    """Escape dollar signs, between which matplotlib would typeset a formula."""
    return name.replace("$", r"\$")
