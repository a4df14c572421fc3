"""Fit the features on the train split: vocabularies and statistics of numbers. Other splits are never looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rankelastor.config.fields import NumericField, SequenceField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.quantile_fit import fit_edges
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.sequences import codes_of_rows
from rankelastor.data.building.staging import StagedColumns, StagedPart
from rankelastor.data.building.train_rows import train_rows
from rankelastor.data.building.workers import Workers
from rankelastor.data.features.transform import NumberStatistics, StatisticsFit
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.interner import Interner
from rankelastor.progress import ProgressListener

_Place = tuple[int, PlannedFeature]


class Fit:
    """Fits every feature of a plan in a few passes over the train rows of the staged parts.

    Attributes:
        vocabularies: by feature name; features that share one differ in what a blank is alone.
        statistics: by feature name.
        edges: of quantile buckets, by feature name.
    """

    def __init__(self, plan: FieldPlan, interners: dict[str, Interner], workers: Workers) -> None:
        self._plan = plan
        self._workers = workers
        # What has counts in common is counted by one thread.
        self._by_target: dict[str, list[_Place]] = {}
        for place in enumerate(plan.features):
            self._by_target.setdefault(place[1].vocabulary or place[1].name, []).append(place)
        self._interners = interners
        self._counts = {name: np.zeros(len(interner), dtype=np.int64) for name, interner in interners.items()}
        self._numbers = {feature.name: StatisticsFit() for feature in plan.numeric}
        self.vocabularies: dict[str, Vocabulary] = {}
        self.statistics: dict[str, NumberStatistics] = {}
        self.edges: dict[str, tuple[float, ...]] = {}

    def run(self, parts: Sequence[StagedPart], splits: SplitCodes, progress: ProgressListener) -> None:
        """Read the parts; ``splits`` tells the split of each of their rows, in order."""
        progress.begin("fitting", total=sum(part.num_rows for part in parts), unit="rows")
        for part, columns, is_train in train_rows(parts, splits):
            for _ in self._workers.map(partial(self._add, columns, is_train), self._by_target.values()):
                pass
            progress.advance(part.num_rows)
        progress.end()
        for fit in self._numbers.values():
            fit.end_first_pass()
        self._add_deviations(parts, splits)
        self.statistics = {name: fit.statistics for name, fit in self._numbers.items()}
        self.edges = fit_edges(self._plan, parts, splits)
        fitted = self._workers.map(self._vocabulary, self._plan.vocabularies)
        own = {feature.name: values for feature, values in zip(self._plan.vocabularies, fitted, strict=True)}
        self.vocabularies = {feature.name: _shared(feature, own) for feature in self._plan.with_vocabulary}

    def _add(self, columns: StagedColumns, is_train: NDArray[np.bool_], features: Sequence[_Place]) -> None:
        """Add the train rows of a part to the counts or sums of features that have these in common.

        One vocabulary counts the occurrences in all columns that share it.
        """
        rows = slice(None) if is_train.all() else is_train
        for index, feature in features:
            if isinstance(feature.settings, NumericField):
                self._numbers[feature.name].add(columns.numbers(index)[rows])
            elif isinstance(feature.settings, SequenceField):
                np.add.at(self._counts_of(feature), codes_of_rows(*columns.lists(index), is_train), 1)
            elif feature.vocabulary is not None:
                np.add.at(self._counts_of(feature), columns.codes(index)[rows], 1)

    def _counts_of(self, feature: PlannedFeature) -> NDArray[np.int64]:
        assert feature.vocabulary is not None
        return self._counts[feature.vocabulary]

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


def _shared(feature: PlannedFeature, own: dict[str, Vocabulary]) -> Vocabulary:
    assert feature.vocabulary is not None
    vocabulary = own[feature.vocabulary]
    return replace(vocabulary, blank="padding") if isinstance(feature.settings, SequenceField) else vocabulary
