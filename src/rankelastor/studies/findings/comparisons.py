"""The differences that a study is about: each value of an axis against one of them, all else equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rankelastor.metrics.table import METRICS
from rankelastor.studies.findings.cells import Cell
from rankelastor.studies.findings.holm import holm
from rankelastor.studies.findings.paired import PairedDifference, paired_difference, smallest_difference
from rankelastor.studies.plan.grid import Point
from rankelastor.studies.plan.settings import StudySettings


@dataclass(frozen=True)
class Comparison:
    """One difference.

    Attributes:
        metric: the metric.
        rest: the values of the axes that both have.
        value: the value that is compared.
        against: the value that it is compared with.
        difference: the mean difference over seeds.
        corrected_p: p-value corrected by Holm for all comparisons of the metric.
        confidence: confidence of the interval; a difference is told apart if the corrected p is below 1 less of it.
    """

    metric: str
    rest: Point
    value: str
    against: str
    difference: PairedDifference
    corrected_p: float | None = None
    confidence: float = 0.95

    @property
    def is_told_apart(self) -> bool:
        """Whether the two can be told apart, after the correction."""
        return self.corrected_p is not None and self.corrected_p < 1 - self.confidence

    @property
    def verdict(self) -> str:
        """Say which is better, or that they cannot be told apart."""
        if self.difference.num_seeds == 1:
            return "one seed: cannot be told"
        if not self.is_told_apart:
            return "cannot be told apart"
        metric = METRICS.get(self.metric)
        if metric is None or metric.higher_is_better is None:
            return "higher" if self.difference.mean > 0 else "lower"
        return "better" if (self.difference.mean > 0) == metric.higher_is_better else "worse"


def comparisons_of(study: StudySettings, cells: Sequence[Cell], metric: str) -> list[Comparison]:
    """Compare each cell with that which differs from it by the study's axis alone, over the seeds that both have."""
    axis, labels = study.compare.axis, study.labels[study.compare.axis]
    against = study.compare.against or labels[0]
    found = []
    for cell in cells:
        rest = {name: label for name, label in cell.point.items() if name != axis}
        other = next((each for each in cells if each.point == {**cell.point, axis: against}), None)
        if cell.point[axis] == against or other is None:
            continue
        mine, theirs = cell.values(metric), other.values(metric)
        seeds = [seed for seed in mine if seed in theirs]
        difference = paired_difference(
            [mine[seed] for seed in seeds], [theirs[seed] for seed in seeds], confidence=study.compare.confidence
        )
        if difference is not None:
            confidence = study.compare.confidence
            found.append(Comparison(metric, rest, cell.point[axis], against, difference, confidence=confidence))
    corrected = holm([each.difference.p for each in found])
    return [replace(each, corrected_p=p) for each, p in zip(found, corrected, strict=True)]


def smallest_of(comparisons: Sequence[Comparison]) -> float | None:
    """Compute the smallest difference that the comparisons tell apart, one by one; None for one seed each."""
    if not comparisons:
        return None
    return smallest_difference([each.difference for each in comparisons], confidence=comparisons[0].confidence)
