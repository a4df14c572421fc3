"""The stages of a trajectory: which recorded points they are, and the measure at each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rankelastor.errors import SettingsError
from rankelastor.spectrum.recording.statistics import MatrixMeasures, PointStatistics, Recording

StageKind = Literal["tokens", "mixing", "ffn", "point"]
StageMatrix = Literal["example", "flattened", "flattened_centred"]
MATRICES: dict[StageMatrix, str] = {
    "example": "each example's token matrix (T x D)",
    "flattened": "the matrix of all examples (examples x TD)",
    "flattened_centred": "the matrix of all examples minus their mean (examples x TD)",
}
"""The matrices of which a stage has the measures, in words."""


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

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all points, in the order in which the model computes them."""
        return tuple(point for point, _, _ in ordered_places(self))


@dataclass(frozen=True)
class TrajectoryStage:
    """The measure after one sublayer: its mean and the 95 % confidence interval of the mean.

    Attributes:
        point: name of the point.
        kind: what was computed there.
        layer: index of the layer, counted from 1; 0 is the tokens. Of a plain list of points, the place in the list.
        count: number of examples.
        mean: mean over the examples; over several models, the mean of the models' means.
        confidence_interval: its interval, over the examples of one model or over seeds; None where there is one matrix.
        standard_error: standard error of the mean, over examples or over seeds.
        num_rows: rows of the measured matrix.
        num_columns: columns of the measured matrix.
        seeds: the mean of each model, where the models differ by their seed; empty for one model.
    """

    point: str
    kind: StageKind
    layer: int
    count: int
    mean: float
    confidence_interval: tuple[float, float] | None
    standard_error: float | None
    num_rows: int
    num_columns: int
    seeds: tuple[float, ...] = ()

    @property
    def max_possible_rank(self) -> int:
        """Upper limit of the measures here: min(rows, columns)."""
        return min(self.num_rows, self.num_columns)

    @property
    def share(self) -> float:
        """The mean divided by the largest possible rank, 0 .. 1."""
        return self.mean / self.max_possible_rank


def ordered_places(points: StagePoints | Sequence[str]) -> list[tuple[str, StageKind, int]]:
    """List point, kind and layer of each stage.

    Example:
        >>> ordered_places(["conv1", "conv2"])
        [('conv1', 'point', 0), ('conv2', 'point', 1)]
    """
    if not isinstance(points, StagePoints):
        return [(point, "point", place) for place, point in enumerate(points)]
    order: list[tuple[str, StageKind, int]] = [(points.tokens, "tokens", 0)]
    for layer, (mixing, ffn) in enumerate(zip(points.mixings, points.ffns, strict=True), start=1):
        order += [(mixing, "mixing", layer), (ffn, "ffn", layer)]
    return order


def stage_points(stages: Sequence[TrajectoryStage]) -> StagePoints | tuple[str, ...]:
    """Return the points from which stages were read, as `ordered_places` takes them."""
    by_kind: dict[StageKind, list[str]] = {}
    for stage in stages:
        by_kind.setdefault(stage.kind, []).append(stage.point)
    if "tokens" not in by_kind:
        return tuple(stage.point for stage in stages)
    return StagePoints(by_kind["tokens"][0], tuple(by_kind["mixing"]), tuple(by_kind["ffn"]))


def stage_of(
    recording: Recording, place: tuple[str, StageKind, int], *, measure: str, matrix: StageMatrix = "example"
) -> TrajectoryStage:
    """Read one stage from a recording.

    Raises:
        SettingsError: If the point was not recorded, or has no measure of the matrix.
    """
    point, kind, layer = place
    recorded = {statistics.point: statistics for statistics in recording.points}
    if point not in recorded:
        raise SettingsError(
            f"a stage must be one of the recorded points {', '.join(recorded)}, but {point!r} was given"
        )
    if matrix == "example":
        return _of_examples(recorded[point], kind, layer, measure)
    found = recorded[point].flattened if matrix == "flattened" else recorded[point].flattened_centred
    return _of_matrix(recorded[point], found, kind, layer, measure)


def _of_examples(point: PointStatistics, kind: StageKind, layer: int, measure: str) -> TrajectoryStage:
    statistics = point.examples.get(measure)
    if statistics is None or statistics.mean is None:
        raise SettingsError(
            f"each stage must have examples with a {measure}, but point {point.point!r} has none: of "
            f"{point.num_examples} recorded examples {point.num_not_finite} are not finite and "
            f"{point.num_zero} are zero; try recording the kind 'example' with this measure"
        )
    return TrajectoryStage(
        point=point.point,
        kind=kind,
        layer=layer,
        count=statistics.count,
        mean=statistics.mean,
        confidence_interval=statistics.confidence_interval,
        standard_error=statistics.standard_error,
        num_rows=point.num_tokens or 0,
        num_columns=point.token_dim or 0,
        seeds=statistics.seeds,
    )


def _of_matrix(
    point: PointStatistics, found: MatrixMeasures | None, kind: StageKind, layer: int, measure: str
) -> TrajectoryStage:
    mean = None if found is None else found.measures.get(measure)
    if found is None or mean is None:
        raise SettingsError(
            f"each stage must have a {measure} of the flattened examples, but point {point.point!r} has none; try "
            f"recording the kind 'flattened' with this measure"
        )
    return TrajectoryStage(
        point=point.point,
        kind=kind,
        layer=layer,
        count=found.num_rows,
        mean=mean,
        confidence_interval=found.interval(measure),
        standard_error=found.standard_error(measure),
        num_rows=found.num_rows,
        num_columns=found.num_columns,
        seeds=found.seeds.get(measure, ()),
    )


def _block_index(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found.group()) if found else -1
