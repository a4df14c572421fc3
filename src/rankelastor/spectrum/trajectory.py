"""The trajectory of one measure of each example's token matrix: after the tokenizer and each mixing and FFN."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from rankelastor.errors import SettingsError
from rankelastor.html_table import html_table
from rankelastor.percent import percent
from rankelastor.spectrum.damping import Damping, damping
from rankelastor.spectrum.gaussian import gaussian_reference
from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.recording.statistics import Recording
from rankelastor.spectrum.stages import MATRICES, StageMatrix, StagePoints, TrajectoryStage, ordered_places, stage_of

_BAR = 20  # characters of a full bar in notebooks


@dataclass(frozen=True)
class LayerChange:
    """Change of the mean of the measure in one layer.

    Attributes:
        layer: layer index, counted from 1.
        expansion: ``m_l - f_(l-1)``, the increase at the mixing (the tokens are ``f_0``).
        contraction: ``m_l - f_l``, the decrease at the FFN; negative where the FFN increases the measure.
        net_gain: ``f_l - f_(l-1)``.
        swing: ``(expansion + contraction) / 2 = m_l - (f_(l-1) + f_l) / 2``, the height of the mixing above the line
            between the two neighbouring FFNs, so that a steady rise or fall has no swing.
        expansion_error: upper bound of the standard error of the expansion: the sum of the standard errors of both
            means, valid for any correlation between them. None for fewer than two examples.
        contraction_error: the same for the contraction.
    """

    layer: int
    expansion: float
    contraction: float
    net_gain: float
    swing: float
    expansion_error: float | None
    contraction_error: float | None


@dataclass(frozen=True)
class Trajectory:
    """One measure through all stages of one model, or the mean over models of several seeds.

    Attributes:
        name: name of the model or run.
        measure: name of the measure.
        matrix: the measured matrix, in words.
        max_possible_rank: upper limit of the measure at the last stage: min(T, D).
        gaussian_reference: mean of the measure over Gaussian random matrices of the last stage's size, which have no
            structure.
        stages: tokens, then the mixing and the FFN of each layer; or any points in their order.
        layers: change of the measure in each layer; empty if the stages are not such layers.
        net_gain: mean after the last stage minus mean of the tokens.
        damping: damping of the swings over the layers.
    """

    name: str
    measure: str
    matrix: str
    max_possible_rank: int
    gaussian_reference: float
    stages: tuple[TrajectoryStage, ...]
    layers: tuple[LayerChange, ...]
    net_gain: float
    damping: Damping

    @property
    def final_share(self) -> float:
        """Mean after the last stage divided by the largest possible rank, 0 .. 1."""
        return self.stages[-1].share

    @property
    def num_seeds(self) -> int:
        """Number of trained models, which differ by their seed."""
        return max(len(self.stages[-1].seeds), 1)

    def _repr_html_(self) -> str:
        rows = [
            [stage.point, f"{stage.mean:.3f}", percent(stage.share), "█" * round(_BAR * stage.share)]
            for stage in self.stages
        ]
        caption = f"{self.name}: at most {self.max_possible_rank}, random {self.gaussian_reference:.2f}"
        return html_table(["stage", self.measure.replace("_", " "), "of possible", ""], rows, caption=caption)

    def to_json(self) -> str:
        """Serialise to JSON; `from_json` reads it back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Trajectory:
        """Read and validate a trajectory that `to_json` wrote."""
        return TypeAdapter(Trajectory).validate_json(text)


def trajectory(
    recording: Recording,
    points: StagePoints | Sequence[str],
    *,
    measure: str = "stable_rank",
    name: str = "model",
    matrix: StageMatrix = "example",
) -> Trajectory:
    """Compute the trajectory of one measure through the recorded stages.

    Args:
        recording: what a `Recorder` recorded.
        points: The stages: tokens, mixings and FFNs of a model of such layers, or the names of any points in the order
            in which the model computes them. Only the former have changes by layer, and must have one shape.
        measure: Name of the measure.
        name: Name of the model.
        matrix: The measured matrix: of each example, or of all examples.

    Raises:
        SettingsError: If the measure is unknown, a point was not recorded or has no measured example, or the token
            matrices have several shapes.
    """
    find_measure(measure)
    stages = tuple(stage_of(recording, place, measure=measure, matrix=matrix) for place in ordered_places(points))
    if not stages:
        raise SettingsError("a trajectory must have at least one stage, but no points were given")
    if isinstance(points, StagePoints):
        _check_one_shape(stages)
        layers = tuple(_change(*stages[2 * index : 2 * index + 3]) for index in range(len(points.mixings)))
        fit = damping([change.swing for change in layers])
    else:
        layers, fit = (), Damping(None, None, None, "the stages are not layers of a mixing and an FFN")
    last = stages[-1]
    return Trajectory(
        name=name,
        measure=measure,
        matrix=MATRICES[matrix],
        max_possible_rank=last.max_possible_rank,
        gaussian_reference=gaussian_reference(last.num_rows, last.num_columns, measure=measure),
        stages=stages,
        layers=layers,
        net_gain=last.mean - stages[0].mean,
        damping=fit,
    )


def _check_one_shape(stages: Sequence[TrajectoryStage]) -> None:
    shapes = {(stage.num_rows, stage.num_columns) for stage in stages}
    if len(shapes) > 1:
        raise SettingsError(
            f"all stages must have token matrices of one shape, but {sorted(shapes)} were recorded; try a list of "
            f"points instead of StagePoints"
        )


def _change(before: TrajectoryStage, mixing: TrajectoryStage, ffn: TrajectoryStage) -> LayerChange:
    expansion, contraction = mixing.mean - before.mean, mixing.mean - ffn.mean
    return LayerChange(
        layer=mixing.layer,
        expansion=expansion,
        contraction=contraction,
        net_gain=ffn.mean - before.mean,
        swing=(expansion + contraction) / 2,
        expansion_error=_sum_of_errors(before, mixing),
        contraction_error=_sum_of_errors(mixing, ffn),
    )


def _sum_of_errors(one: TrajectoryStage, other: TrajectoryStage) -> float | None:
    if one.standard_error is None or other.standard_error is None:
        return None
    return one.standard_error + other.standard_error
