"""What is wrong with recorded activations, in words."""

from __future__ import annotations

from rankelastor.spectrum.recording.statistics import PointStatistics, Recording


def list_not_finite(recording: Recording) -> list[str]:
    """Describe the points at which examples have NaN or infinite activations."""
    return [_fault(point) for point in recording.points if point.num_not_finite]


def _fault(point: PointStatistics) -> str:
    return (
        f"{point.num_not_finite:,} of {point.num_examples:,} examples have NaN or infinite activations after "
        f"{point.point}; they are excluded from all figures"
    )
