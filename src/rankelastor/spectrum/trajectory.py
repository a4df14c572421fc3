"""How one measure of each example's token matrix travels through the sublayers: tokens, mixing, FFN, mixing, FFN ..."""

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
from rankelastor.spectrum.measures import all_measures, measure_named
from rankelastor.spectrum.recording.statistics import Recording

StageKind = Literal["tokens", "mixing", "ffn"]
NUM_GAUSSIAN_MATRICES = 64


@dataclass(frozen=True)
class StagePoints:
    """Which recorded points are the tokens, the mixings and the FFNs, in the order of the layers.

    Example:
        >>> StagePoints.of_ranker(["tokens", "block0.mixing", "block0.pffn"]).ffns
        ('block0.pffn',)
    """

    tokens: str
    mixings: tuple[str, ...]
    ffns: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.mixings) != len(self.ffns) or not self.mixings:
            raise SettingsError(
                f"Each layer must have a mixing and an FFN, but {len(self.mixings)} mixings and {len(self.ffns)} FFNs "
                f"were given"
            )

    @staticmethod
    def of_ranker(points: Iterable[str]) -> StagePoints:
        """The stages among the point names of a `Ranker`: ``tokens``, ``block{i}.mixing``, ``block{i}.pffn``."""
        names = sorted(points, key=_block_index)
        return StagePoints(
            tokens="tokens",
            mixings=tuple(name for name in names if name.endswith(".mixing")),
            ffns=tuple(name for name in names if name.endswith(".pffn")),
        )


@dataclass(frozen=True)
class Stage:
    """The measure after one sublayer: its mean over examples and the 95 % interval of that mean."""

    point: str
    kind: StageKind
    layer: int
    count: int
    mean: float
    confidence_interval: tuple[float, float] | None
    standard_error: float | None


@dataclass(frozen=True)
class LayerChange:
    """What one layer does to the mean of the measure.

    Attributes:
        layer: counted from 1.
        expansion: ``m_l - f_(l-1)``, what the mixing adds (the tokens are ``f_0``).
        contraction: ``m_l - f_l``, what the FFN takes away; negative where it adds.
        net_gain: ``f_l - f_(l-1)``.
        swing: ``(expansion + contraction) / 2 = m_l - (f_(l-1) + f_l) / 2``, the height of the mixing over the line
            between the FFNs beside it, so a steady rise or fall is no swing.
        expansion_error: at most this is the standard error of the expansion: the sum of those of both means, which
            holds however the two are correlated. None for fewer than two examples.
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
        name: of the model or run.
        measure: by its plain name.
        matrix: which matrix, in words.
        max_possible_rank: min(T, D); no stage can be above it.
        gaussian_reference: mean of the measure over Gaussian random matrices (T x D): what "no structure" looks like.
        stages: tokens, then mixing and FFN by layer.
        layers: what each layer does.
        net_gain: last stage minus tokens.
        damping: of the swings over the layers.
    """

    name: str
    measure: str
    matrix: str
    max_possible_rank: int
    gaussian_reference: float
    stages: tuple[Stage, ...]
    layers: tuple[LayerChange, ...]
    net_gain: float
    damping: Damping

    @property
    def final_share(self) -> float:
        """The last stage's mean over the largest possible rank, 0 .. 1."""
        return self.stages[-1].mean / self.max_possible_rank

    def to_json(self) -> str:
        """JSON text that `from_json` reads back."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Trajectory:
        """The trajectory that `to_json` wrote; its parts are checked."""
        return TypeAdapter(Trajectory).validate_json(text)


def trajectory(
    recording: Recording, points: StagePoints, *, measure: str = "stable_rank", name: str = "model"
) -> Trajectory:
    """The trajectory of one measure through the recorded stages.

    Raises:
        SettingsError: For an unknown measure, a point that was not recorded, or one without a measured example.
    """
    measure_named(measure)
    order: list[tuple[str, StageKind, int]] = [(points.tokens, "tokens", 0)]
    for layer, (mixing, ffn) in enumerate(zip(points.mixings, points.ffns, strict=True), start=1):
        order += [(mixing, "mixing", layer), (ffn, "ffn", layer)]
    stages = tuple(_stage(recording, measure, *place) for place in order)
    layers = tuple(_change(*stages[2 * index : 2 * index + 3]) for index in range(len(points.mixings)))
    shapes = {(recording[point].num_tokens or 0, recording[point].token_dim or 0) for point, _, _ in order}
    if len(shapes) > 1:
        raise SettingsError(f"All stages must have token matrices of one shape, but {sorted(shapes)} were recorded")
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
    """Mean of the measure over Gaussian random matrices of that size, from a fixed seed.

    No structure at all is far below the largest possible rank for some measures: a Gaussian 26 x 30 matrix has a
    stable rank near 7.5, not 26.

    Example:
        >>> 7 < gaussian_reference(26, 30, measure="stable_rank") < 8
        True
    """
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(NUM_GAUSSIAN_MATRICES, num_tokens, token_dim, generator=generator)
    return float(all_measures(matrices, method="gram", names=[measure])[measure].mean())


def _stage(recording: Recording, measure: str, point: str, kind: StageKind, layer: int) -> Stage:
    recorded = {statistics.point: statistics for statistics in recording.points}
    if point not in recorded:
        raise SettingsError(
            f"A stage must be one of the recorded points {', '.join(recorded)}, but {point!r} was given"
        )
    statistics = recorded[point].examples.get(measure)
    if statistics is None or statistics.mean is None:
        raise SettingsError(
            f"Each stage must have examples with a {measure}, but point {point!r} has none: it saw "
            f"{recorded[point].num_examples} examples, {recorded[point].num_not_finite} not finite, "
            f"{recorded[point].num_zero} zero; try recording the kind 'example' with this measure"
        )
    deviation = statistics.standard_deviation
    return Stage(
        point=point,
        kind=kind,
        layer=layer,
        count=statistics.count,
        mean=statistics.mean,
        confidence_interval=statistics.confidence_interval,
        standard_error=None if deviation is None else deviation / math.sqrt(statistics.count),
    )


def _change(before: Stage, mixing: Stage, ffn: Stage) -> LayerChange:
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


def _sum_of_errors(one: Stage, other: Stage) -> float | None:
    if one.standard_error is None or other.standard_error is None:
        return None
    return one.standard_error + other.standard_error


def _block_index(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found.group()) if found else -1
