"""The trajectory of one measure of each example's token matrix: after the tokenizer and each mixing and FFN."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from pydantic import TypeAdapter

from rankelastor.errors import SettingsError
from rankelastor.spectrum.damping import Damping, damping
from rankelastor.spectrum.measures import all_measures, find_measure
from rankelastor.spectrum.recording.statistics import Recording

StageKind = Literal["tokens", "mixing", "ffn"]
NUM_GAUSSIAN_MATRICES = 64


@dataclass(frozen=True)
class StagePoints:
    """Names of the recorded points after the tokenizer, the mixings and the FFNs, in the order of the layers.

    Example:
        >>> StagePoints.from_point_names(["tokens", "block0.mixing", "block0.pffn"]).ffns
        ('block0.pffn',)
    """

    tokens: str
    mixings: tuple[str, ...]
    ffns: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.mixings) != len(self.ffns) or not self.mixings:
            raise SettingsError(
                f"each layer must have a mixing and an FFN, but {len(self.mixings)} mixings and {len(self.ffns)} FFNs "
                f"were given"
            )

    @staticmethod
    def from_point_names(points: Iterable[str]) -> StagePoints:
        """Sort the point names of a `Ranker`: ``tokens``, ``block{i}.mixing``, ``block{i}.pffn``."""
        names = sorted(points, key=_block_index)
        return StagePoints(
            tokens="tokens",
            mixings=tuple(name for name in names if name.endswith(".mixing")),
            ffns=tuple(name for name in names if name.endswith(".pffn")),
        )


@dataclass(frozen=True)
class TrajectoryStage:
    """The measure after one sublayer: its mean over examples and the 95 % confidence interval of the mean."""

    point: str
    kind: StageKind
    layer: int
    count: int
    mean: float
    confidence_interval: tuple[float, float] | None
    standard_error: float | None


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
    """One measure of each example's token matrix (T x D) through all sublayers of one model.

    Attributes:
        name: name of the model or run.
        measure: name of the measure.
        matrix: the measured matrix, in words.
        max_possible_rank: min(T, D), the upper limit of the measure.
        gaussian_reference: mean of the measure over Gaussian random matrices (T x D), which have no structure.
        stages: tokens, then the mixing and the FFN of each layer.
        layers: change of the measure in each layer.
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
        return self.stages[-1].mean / self.max_possible_rank

    def to_json(self) -> str:
        """Serialise to JSON; `from_json` reads it back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Trajectory:
        """Read and validate a trajectory that `to_json` wrote."""
        return TypeAdapter(Trajectory).validate_json(text)


def trajectory(
    recording: Recording, points: StagePoints, *, measure: str = "stable_rank", name: str = "model"
) -> Trajectory:
    """Compute the trajectory of one measure through the recorded stages.

    Raises:
        SettingsError: If the measure is unknown, a point was not recorded or has no measured example, or the token
            matrices have several shapes.
    """
    find_measure(measure)
    order: list[tuple[str, StageKind, int]] = [(points.tokens, "tokens", 0)]
    for layer, (mixing, ffn) in enumerate(zip(points.mixings, points.ffns, strict=True), start=1):
        order += [(mixing, "mixing", layer), (ffn, "ffn", layer)]
    stages = tuple(_stage(recording, measure, *place) for place in order)
    layers = tuple(_change(*stages[2 * index : 2 * index + 3]) for index in range(len(points.mixings)))
    shapes = {(recording[point].num_tokens or 0, recording[point].token_dim or 0) for point, _, _ in order}
    if len(shapes) > 1:
        raise SettingsError(f"all stages must have token matrices of one shape, but {sorted(shapes)} were recorded")
    ((num_tokens, token_dim),) = shapes
    return Trajectory(
        name=name,
        measure=measure,
        matrix="each example's token matrix (T x D)",
        max_possible_rank=min(num_tokens, token_dim),
        gaussian_reference=gaussian_reference(num_tokens, token_dim, measure=measure),
        stages=stages,
        layers=layers,
        net_gain=stages[-1].mean - stages[0].mean,
        damping=damping([change.swing for change in layers]),
    )


def gaussian_reference(num_tokens: int, token_dim: int, *, measure: str) -> float:
    """Compute the mean of the measure over Gaussian random matrices of the given size, drawn with a fixed seed.

    Even without any structure some measures are far below the largest possible rank: a Gaussian 26 x 30 matrix has a
    stable rank near 7.5, not 26.

    Example:
        >>> 7 < gaussian_reference(26, 30, measure="stable_rank") < 8
        True
    """
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(NUM_GAUSSIAN_MATRICES, num_tokens, token_dim, generator=generator)
    return float(all_measures(matrices, method="gram", names=[measure])[measure].mean())


def _stage(recording: Recording, measure: str, point: str, kind: StageKind, layer: int) -> TrajectoryStage:
    recorded = {statistics.point: statistics for statistics in recording.points}
    if point not in recorded:
        raise SettingsError(
            f"a stage must be one of the recorded points {', '.join(recorded)}, but {point!r} was given"
        )
    statistics = recorded[point].examples.get(measure)
    if statistics is None or statistics.mean is None:
        raise SettingsError(
            f"each stage must have examples with a {measure}, but point {point!r} has none: of "
            f"{recorded[point].num_examples} recorded examples {recorded[point].num_not_finite} are not finite and "
            f"{recorded[point].num_zero} are zero; try recording the kind 'example' with this measure"
        )
    deviation = statistics.standard_deviation
    return TrajectoryStage(
        point=point,
        kind=kind,
        layer=layer,
        count=statistics.count,
        mean=statistics.mean,
        confidence_interval=statistics.confidence_interval,
        standard_error=None if deviation is None else deviation / math.sqrt(statistics.count),
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


def _block_index(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found.group()) if found else -1
