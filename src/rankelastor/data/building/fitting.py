"""Fit the features on the train split: vocabularies and statistics of numbers. Other splits are never looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rankelastor.config.fields import NumericField, SequenceField
from rankelastor.data.building.field_plan import FieldPlan, PlannedFeature
from rankelastor.data.building.quantile_fit import fit_edges
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.sequences import codes_of_rows
from rankelastor.data.building.staging import StagedPart
from rankelastor.data.building.train_rows import train_rows
from rankelastor.data.interner import Interner
from rankelastor.data.transform import NumberStatistics, StatisticsFit
from rankelastor.data.vocabulary import Vocabulary
from rankelastor.progress import ProgressListener


class Fit:
    """Fits every feature of a plan in a few passes over the train rows of the staged parts.

    Attributes:
        vocabularies: by feature name; features that share one differ in what a blank is alone.
        statistics: by feature name.
        edges: of quantile buckets, by feature name.
    """

    def __init__(self, plan: FieldPlan, interners: dict[str, Interner]) -> None:
        self._plan = plan
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
            for index, feature in enumerate(self._plan.features):
                if isinstance(feature.settings, NumericField):
                    self._numbers[feature.name].add(columns.numbers(index)[is_train])
                elif isinstance(feature.settings, SequenceField):
                    self._count(feature, codes_of_rows(*columns.lists(index), is_train))
                elif feature.vocabulary is not None:
                    self._count(feature, columns.codes(index)[is_train])
            progress.advance(part.num_rows)
        progress.end()
        for fit in self._numbers.values():
            fit.end_first_pass()
        self._add_deviations(parts, splits)
        self.statistics = {name: fit.statistics for name, fit in self._numbers.items()}
        self.edges = fit_edges(self._plan, parts, splits)
        own = {feature.name: self._vocabulary(feature) for feature in self._plan.vocabularies}
        self.vocabularies = {feature.name: _shared(feature, own) for feature in self._plan.with_vocabulary}

    def _count(self, feature: PlannedFeature, codes: NDArray[np.uint32]) -> None:
        """One vocabulary counts the occurrences in all columns that share it."""
        assert feature.vocabulary is not None
        np.add.at(self._counts[feature.vocabulary], codes, 1)

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
