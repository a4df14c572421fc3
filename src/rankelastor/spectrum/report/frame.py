"""The measures of a report as a table: one row for each model, point, matrix and measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from rankelastor.spectrum.recording.statistics import MatrixMeasures, PointStatistics
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum

COLUMNS: dict[str, type[pl.DataType]] = {
    "model": pl.String,
    "point": pl.String,
    "matrix": pl.String,
    "measure": pl.String,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "standard_deviation": pl.Float64,
    "minimum": pl.Float64,
    "maximum": pl.Float64,
    "largest_possible": pl.Int64,
    "num_examples": pl.Int64,
    "num_seeds": pl.Int64,
}
"""``low`` and ``high`` are the 95 % interval of the mean: over examples of one model, over seeds of several."""


def measures_frame(spectra: Sequence[RunSpectrum]) -> pl.DataFrame:
    """Collect the measures of all recorded points; an undefined number is null."""
    rows = [row for run in spectra for point in run.recording.points for row in _rows(run, point)]
    return pl.DataFrame(rows, schema=COLUMNS)


def _rows(run: RunSpectrum, point: PointStatistics) -> Iterator[dict[str, Any]]:
    for measure, found in point.examples.items():
        low, high = found.confidence_interval or (None, None)
        yield {
            "model": run.name,
            "point": point.point,
            "matrix": "example",
            "measure": measure,
            "mean": found.mean,
            "low": low,
            "high": high,
            "standard_deviation": found.standard_deviation,
            "minimum": found.minimum,
            "maximum": found.maximum,
            "largest_possible": point.max_possible_rank,
            "num_examples": found.count,
            "num_seeds": max(len(found.seeds), 1),
        }
    yield from _matrix_rows(run, point, "flattened", point.flattened)
    yield from _matrix_rows(run, point, "flattened_centred", point.flattened_centred)


def _matrix_rows(
    run: RunSpectrum, point: PointStatistics, matrix: str, found: MatrixMeasures | None
) -> Iterator[dict[str, Any]]:
    if found is None:
        return
    for measure, value in found.measures.items():
        low, high = found.interval(measure) or (None, None)
        yield {
            "model": run.name,
            "point": point.point,
            "matrix": matrix,
            "measure": measure,
            "mean": value,
            "low": low,
            "high": high,
            "largest_possible": found.max_possible_rank,
            "num_examples": point.num_examples - point.num_not_finite,
            "num_seeds": max(len(found.seeds.get(measure, ())), 1),
        }
