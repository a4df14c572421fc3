"""Fit the features on the train split: vocabularies and statistics of numbers. Other splits are never looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rankelastor.config.fields import NumericField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.staging import StagedColumns, StagedPart
from rankelastor.data.building.workers import Workers
from rankelastor.data.interner import Interner
from rankelastor.data.transform import NumberStatistics, StatisticsFit
from rankelastor.data.vocabulary import Vocabulary
from rankelastor.progress import ProgressListener
from rankelastor.schema import SPLITS

_TRAIN = SPLITS.index("train")


class Fit:
    """Fits every feature of a plan in two passes over the train rows of the staged parts.

    Attributes:
        vocabularies: by feature name.
        statistics: by feature name.
    """

    def __init__(self, plan: FieldPlan, interners: dict[str, Interner], workers: Workers) -> None:
        self._plan = plan
        self._workers = workers
        self._interners = interners
        self._counts = {name: np.zeros(len(interner), dtype=np.int64) for name, interner in interners.items()}
        self._numbers = {feature.name: StatisticsFit() for feature in plan.numeric}
        self.vocabularies: dict[str, Vocabulary] = {}
        self.statistics: dict[str, NumberStatistics] = {}

    def run(self, parts: Sequence[StagedPart], splits: SplitCodes, progress: ProgressListener) -> None:
        """Read the parts; ``splits`` tells the split of each of their rows, in order."""
        progress.begin("fitting", total=sum(part.num_rows for part in parts), unit="rows")
        for part, columns, is_train in train_rows(parts, splits):
            adding = partial(self._add, columns, None if is_train.all() else is_train)
            for _ in self._workers.map(adding, enumerate(self._plan.features)):
                pass
            progress.advance(part.num_rows)
        progress.end()
        for fit in self._numbers.values():
            fit.end_first_pass()
        self._add_deviations(parts, splits)
        self.statistics = {name: fit.statistics for name, fit in self._numbers.items()}
        fitted = self._workers.map(self._vocabulary, self._plan.categorical)
        self.vocabularies = {
            feature.name: vocabulary for feature, vocabulary in zip(self._plan.categorical, fitted, strict=True)
        }

    def _add(
        self, columns: StagedColumns, is_train: NDArray[np.bool_] | None, place: tuple[int, PlannedFeature]
    ) -> None:
        """Add the train rows of a part (None: all) to one feature's counts or sums."""
        index, feature = place
        rows = slice(None) if is_train is None else is_train
        if isinstance(feature.settings, NumericField):
            self._numbers[feature.name].add(columns.numbers(index)[rows])
        else:
            np.add.at(self._counts[feature.name], columns.codes(index)[rows], 1)

    def _add_deviations(self, parts: Sequence[StagedPart], splits: SplitCodes) -> None:
        numeric = [
            (index, feature.name)
            for index, feature in enumerate(self._plan.features)
            if isinstance(feature.settings, NumericField) and feature.settings.transform == "standardise"
        ]
        if not numeric:
            return
        for _, columns, is_train in train_rows(parts, splits):
            for index, name in numeric:
                self._numbers[name].add_deviations(columns.numbers(index)[is_train])

    def _vocabulary(self, feature: PlannedFeature) -> Vocabulary:
        counts = self._counts.pop(feature.name)
        rules = feature.identity
        values = self._interners[feature.name].values()
        return Vocabulary.fit(values, counts, min_count=rules.min_count, blank=rules.blank)


def train_rows(
    parts: Sequence[StagedPart], splits: SplitCodes
) -> Iterator[tuple[StagedPart, StagedColumns, NDArray[np.bool_]]]:
    """Each part with its columns and a mask of its train rows; parts without any are skipped."""
    start = 0
    for part in parts:
        is_train = splits[start : start + part.num_rows] == _TRAIN
        start += part.num_rows
        if is_train.any():
            yield part, part.columns(), is_train
