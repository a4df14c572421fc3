"""The spectrum of a model of one's own, from what a `Recorder` recorded, in the form that reports take."""

from __future__ import annotations

from collections.abc import Sequence

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.recording.problems import list_not_finite
from rankelastor.spectrum.recording.statistics import PointStatistics, Recording
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.spectrum.stages import StageMatrix, StagePoints
from rankelastor.spectrum.trajectory import Trajectory, trajectory
from rankelastor.spectrum.verdict import verdict


def spectrum_of_recording(
    recording: Recording, *, name: str = "model", stages: StagePoints | Sequence[str] | None = None
) -> RunSpectrum:
    """Compute trajectories and verdicts from a recording of any model.

    The trajectories are those of each example's tokens where these were recorded, else those of the matrix of all
    examples.

    Args:
        recording: what a `Recorder` recorded.
        name: name of the model in figures and sentences.
        stages: the stages of the trajectory: tokens, mixings and FFNs, or names of points in the order in which the
            model computes them; None takes all points that have a measure, in the order of the recorder.

    Raises:
        SettingsError: no example was recorded, or a stage was not.
    """
    matrix = _matrix(recording)
    points = _points_with(recording, matrix) if stages is None else stages
    paths = {
        str(measure): trajectory(recording, points, measure=measure, name=name, matrix=matrix)
        for measure in MEASURES
        if _has(recording.points, measure)
    }
    return RunSpectrum(
        name=name,
        folder="",
        model="",
        split="",
        num_examples=max((point.num_examples for point in recording.points), default=0),
        test_auc=None,
        dense_parameters=None,
        recording=recording,
        stages=_names(paths),
        trajectories=paths,
        verdicts={measure: verdict(path) for measure, path in paths.items()},
        tables=(),
        mixings=(),
        samples=(),
        problems=tuple(list_not_finite(recording)),
        matrix=matrix,
    )


def _matrix(recording: Recording) -> StageMatrix:
    return "example" if _points_with(recording, "example") else "flattened"


def _points_with(recording: Recording, matrix: StageMatrix) -> tuple[str, ...]:
    """List the points at which the matrix has a measure.

    Raises:
        SettingsError: nothing was recorded.
    """
    if matrix == "example":
        return tuple(
            point.point
            for point in recording.points
            if any(found.mean is not None for found in point.examples.values())
        )
    points = tuple(
        point.point
        for point in recording.points
        if point.flattened is not None and any(value is not None for value in point.flattened.measures.values())
    )
    if not points:
        raise SettingsError(
            f"a recording must have an example with finite activations that are not all zero, but none was recorded at "
            f"{', '.join(point.point for point in recording.points)}; call the model inside `with recorder:`"
        )
    return points


def _has(points: Sequence[PointStatistics], measure: str) -> bool:
    """Tell whether the recorder was asked for the measure."""
    return any(
        measure in point.examples or (point.flattened is not None and measure in point.flattened.measures)
        for point in points
    )


def _names(paths: dict[str, Trajectory]) -> tuple[str, ...]:
    return tuple(stage.point for stage in next(iter(paths.values())).stages)
