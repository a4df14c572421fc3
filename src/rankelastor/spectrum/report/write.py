"""Write a report: the page, its data, and figures for papers."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rankelastor.errors import SettingsError
from rankelastor.extras import how_to_install
from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.report.page import render_page
from rankelastor.spectrum.report.payload import full_payload, page_payload
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.storage import whole_file

logger = logging.getLogger(__name__)

PAGE_FILE, DATA_FILE, FIGURES_FOLDER = "report.html", "spectrum.json", "figures"


@dataclass(frozen=True)
class WrittenReport:
    """Paths of the written files; ``figures`` is empty if matplotlib is not installed."""

    page: Path
    data: Path
    figures: tuple[Path, ...]


def write_report(runs: Sequence[RunSpectrum], folder: str | Path, *, measure: str = "stable_rank") -> WrittenReport:
    """Write ``report.html``, ``spectrum.json`` and ``figures/`` for one run or several side by side.

    Files of an earlier report are replaced. Without the extra ``report`` a warning is logged instead of the figures.

    Args:
        runs: spectra in the order in which they are shown; later runs are compared with the first.
        folder: output folder, created if it does not exist.
        measure: measure of the figures, which the page also shows first.

    Raises:
        SettingsError: no run is given, or the measure is unknown.
        StorageError: the folder cannot be written.
    """
    if not runs:
        raise SettingsError("a report must show at least one run, but none was given")
    find_measure(measure)
    folder = Path(folder)
    page, data = folder / PAGE_FILE, folder / DATA_FILE
    _write_text(data, json.dumps(full_payload(runs), allow_nan=False) + "\n")
    _write_text(page, render_page(page_payload(runs, measure=measure)))
    return WrittenReport(page, data, _figures(runs, folder / FIGURES_FOLDER, measure=measure))


def _figures(runs: Sequence[RunSpectrum], folder: Path, *, measure: str) -> tuple[Path, ...]:
    if find_spec("matplotlib") is None:
        logger.warning(
            "matplotlib must be installed for paper figures, but it is not; try %s", how_to_install("report")
        )
        return ()
    from rankelastor.spectrum.report.paper_figures import write_figures  # noqa: PLC0415 - matplotlib is optional

    return write_figures(runs, folder, measure=measure)


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
