"""The data of the report: the spectra of all runs as plain values, in full and reduced for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import rankelastor
from rankelastor.spectrum.comparison import compare
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.recording.statistics import MatrixMeasures
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.spectrum.runs.training_samples import TrainingSample

FORMAT_VERSION = 2
SIGNIFICANT_DIGITS = 5
MAX_SAMPLES = 800
"""Largest number of training samples on the page, over all runs."""
SMALLEST_MAX_SAMPLES = 50


def full_payload(runs: Sequence[RunSpectrum]) -> dict[str, Any]:
    """Collect all measurements: the contents of ``spectrum.json``."""
    return {
        "format_version": FORMAT_VERSION,
        "made_by": f"rankelastor {rankelastor.__version__}",
        "measures": [
            {"name": measure.name, "title": measure.title, "formula": measure.formula, "source": measure.source}
            for measure in MEASURES.values()
        ],
        "comparisons": {name: comparisons(runs, name) for name in MEASURES},
        "runs": [asdict(run) for run in runs],
    }


def page_payload(runs: Sequence[RunSpectrum], *, measure: str) -> dict[str, Any]:
    """Reduce the full payload for the page: five digits, fewer training samples, no unused singular values.

    Args:
        runs: spectra in the order of the report.
        measure: measure that the page shows first.
    """
    payload = full_payload(runs)
    most = max(SMALLEST_MAX_SAMPLES, MAX_SAMPLES // len(runs))
    for run, values in zip(runs, payload["runs"], strict=True):
        values["samples"] = [asdict(sample) for sample in thin_samples(run.samples, most=most)]
        for point, recorded in zip(values["recording"]["points"], run.recording.points, strict=True):
            for kind, matrix in (("flattened", recorded.flattened), ("flattened_centred", recorded.flattened_centred)):
                if matrix is not None:
                    _reduce_matrix(point[kind], matrix)
        spectra = [*(table.spectrum for table in run.tables), *(mixing.spectrum for mixing in run.mixings)]
        for part, spectrum in zip((*values["tables"], *values["mixings"]), spectra, strict=True):
            _reduce_matrix(part["spectrum"], spectrum)
    payload["first_measure"] = measure
    payload["first_matrix"] = "example" if any(run.matrix == "example" for run in runs) else runs[0].matrix
    rounded: dict[str, Any] = _round_floats(payload)
    return rounded


def _reduce_matrix(values: dict[str, Any], matrix: MatrixMeasures) -> None:
    """Drop the singular values of a matrix, and add the intervals over seeds of its measures."""
    del values["singular_values"]
    values["intervals"] = {name: matrix.interval(name) for name in matrix.seeds}


def thin_samples(samples: Sequence[TrainingSample], *, most: int) -> list[TrainingSample]:
    """Pick at most ``most`` evenly spaced samples, including the last one.

    Example:
        >>> thin_samples(range(10), most=4)
        [0, 3, 6, 9]
    """
    stride = math.ceil(len(samples) / most) if samples else 1
    return list(samples[::-1][::stride][::-1])


def comparisons(runs: Sequence[RunSpectrum], measure: str) -> list[str]:
    """Compare each later run with the first one, in words; runs without a trajectory are left out."""
    paths = [run.trajectories[measure] for run in runs if measure in run.trajectories]
    return [sentence for other in paths[1:] for sentence in compare(other, paths[0])]


def _round_floats(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        case dict():
            return {key: _round_floats(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_round_floats(inner) for inner in value]
        case _:
            return value
