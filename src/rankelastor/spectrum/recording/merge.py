"""Merge recordings of one model trained with several seeds: means over the models, and the spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.recording.statistics import (
    Histogram,
    MatrixMeasures,
    MeasureStatistics,
    PointStatistics,
    Recording,
    SingularValueCurve,
)
from rankelastor.spectrum.seeds import mean_interval


def merge_recordings(recordings: Sequence[Recording]) -> Recording:
    """Merge the points that all recordings have; one recording is that of one seed.

    Every mean is the mean over the models' means, with a 95 % interval over seeds by Student's t. Counts, densities and
    the standard deviation are those of all examples.

    Raises:
        SettingsError: a point has token matrices of several shapes.
    """
    by_name = [{point.point: point for point in recording.points} for recording in recordings]
    shared = [point for point in by_name[0] if all(point in points for points in by_name)]
    return Recording(tuple(_merge_points([points[name] for points in by_name]) for name in shared))


def merge_matrices(found: Sequence[MatrixMeasures | None]) -> MatrixMeasures | None:
    """Merge the measures of one matrix of each model; None if one is missing or the widths differ."""
    kept = [matrix for matrix in found if matrix is not None]
    if len(kept) < len(found) or len({matrix.num_columns for matrix in kept}) > 1:
        return None
    seeds: dict[str, tuple[float, ...]] = {}
    for measure in MEASURES:
        values = [matrix.measures.get(measure) for matrix in kept]
        defined = tuple(value for value in values if value is not None)
        if len(defined) == len(kept):
            seeds[measure] = defined
    return replace(
        kept[0],
        num_rows=min(matrix.num_rows for matrix in kept),
        measures={measure: fmean(seeds[measure]) if measure in seeds else None for measure in kept[0].measures},
        singular_values=_means([matrix.singular_values for matrix in kept]),
        seeds=seeds,
    )


def _merge_points(points: Sequence[PointStatistics]) -> PointStatistics:
    first = points[0]
    shapes = {(point.num_tokens, point.token_dim) for point in points}
    if len(shapes) > 1:
        raise SettingsError(
            f"models of several seeds must have token matrices of one shape, but after {first.point} they have "
            f"{sorted(map(str, shapes))}"
        )
    return replace(
        first,
        num_examples=sum(point.num_examples for point in points),
        num_not_finite=sum(point.num_not_finite for point in points),
        num_zero=sum(point.num_zero for point in points),
        examples={
            measure: _measure([point.examples[measure] for point in points])
            for measure in first.examples
            if all(measure in point.examples for point in points)
        },
        singular_values=_curve([point.singular_values for point in points]),
        flattened=merge_matrices([point.flattened for point in points]),
        flattened_centred=merge_matrices([point.flattened_centred for point in points]),
        single_tokens=tuple(
            merged
            for tokens in zip(*(point.single_tokens for point in points), strict=False)
            if (merged := merge_matrices(tokens)) is not None
        ),
    )


def _measure(found: Sequence[MeasureStatistics]) -> MeasureStatistics:
    """Merge one measure: the mean over seeds, and the spread over all examples."""
    means = tuple(statistics.mean for statistics in found if statistics.mean is not None)
    if len(means) < len(found):
        return replace(found[0], mean=None, confidence_interval=None, standard_deviation=None)
    histogram = found[0].histogram
    counts = tuple(sum(column) for column in zip(*(each.histogram.counts for each in found), strict=True))
    return replace(
        found[0],
        count=sum(statistics.count for statistics in found),
        mean=fmean(means),
        standard_deviation=_pooled_deviation(found),
        confidence_interval=mean_interval(means),
        minimum=min((each.minimum for each in found if each.minimum is not None), default=None),
        maximum=max((each.maximum for each in found if each.maximum is not None), default=None),
        histogram=Histogram(histogram.low, histogram.high, counts),
        seeds=means,
    )


def _pooled_deviation(found: Sequence[MeasureStatistics]) -> float | None:
    """Compute the standard deviation over the examples of all runs from each run's."""
    count = sum(each.count for each in found)
    if count < 2 or any(each.mean is None for each in found):  # noqa: PLR2004 - a deviation needs two
        return None
    mean = sum(each.count * (each.mean or 0.0) for each in found) / count
    within = sum((each.count - 1) * (each.standard_deviation or 0.0) ** 2 for each in found)
    between = sum(each.count * ((each.mean or 0.0) - mean) ** 2 for each in found)
    return math.sqrt((within + between) / (count - 1))


def _curve(curves: Sequence[SingularValueCurve | None]) -> SingularValueCurve | None:
    kept = [curve for curve in curves if curve is not None]
    if len(kept) < len(curves):
        return None
    return SingularValueCurve(
        mean=_means([curve.mean for curve in kept]),
        standard_deviation=_means([curve.standard_deviation for curve in kept]),
    )


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """Compute the mean of each column, over the shortest row's columns."""
    return tuple(fmean(column) for column in zip(*rows, strict=False))
