"""Fit the features on the train split in several passes. Other splits are never read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.building.executors import Executor
from rankelastor.data.building.field_plan import FieldPlan, vocabulary_owner
from rankelastor.data.building.former_days import FormerDays
from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.staging import StagedColumns, StagedPart
from rankelastor.data.building.train_rows import train_rows
from rankelastor.data.building.workers import Workers
from rankelastor.data.cells.text_notes import TextNotes
from rankelastor.data.features.file_names import safe_file_names
from rankelastor.data.interner import Interner
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.field import FeatureFit, NothingToFit, PlannedFeature
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.kinds.vocabulary_fit import (
    Former,
    OrderedVocabulary,
    VocabularyFeatureFit,
    VocabularyFit,
    codes_to_count,
    order_vocabulary,
)
from rankelastor.data.manifest import RARE_FOLDER, VOCABULARY_FOLDER
from rankelastor.progress import ProgressListener


@dataclass(frozen=True)
class FittedFeature:
    """A fitted feature and, if it has a vocabulary, the final id of each provisional code."""

    spec: FeatureSpec
    id_of_code: NDArray[np.int32] | None


@dataclass(frozen=True)
class _IndexedFit:
    """The fit of the feature at ``index`` of the plan."""

    index: int
    fit: FeatureFit


class FeatureFits:
    """Fits of all features of a plan, run together in a few passes over the train rows of the staged parts."""

    def __init__(
        self,
        plan: FieldPlan,
        interners: Mapping[str, Interner],
        workers: Workers,
        executor: Executor | None = None,
        *,
        former: FormerDays | None = None,
        keeps_rare: bool = False,
    ) -> None:
        self._plan = plan
        self._executor: Executor = workers if executor is None else executor
        self._workers = workers
        self._former = former
        files = safe_file_names(list(interners))
        rules = {feature.name: feature.vocabulary for feature in plan.features}
        self._vocabularies = {}
        for name, interner in interners.items():
            owned = rules[name]
            assert owned is not None, "dictionaries are made for features with a vocabulary"
            self._vocabularies[name] = VocabularyFit(
                owned, interner, files[name], former=self._former_of(name), keeps_rare=keeps_rare
            )
        self._fits = [_IndexedFit(index, self._fit_of(feature)) for index, feature in enumerate(plan.features)]

    def run(self, parts: Sequence[StagedPart], splits: SplitCodes, progress: ProgressListener) -> None:
        """Fit on the train rows of the parts; ``splits`` holds the split of each row, in order."""
        progress.begin("fitting", total=sum(part.num_rows for part in parts), unit="rows")
        first = True
        if not self._executor.shares_memory:
            self._count(parts, splits)
        while pending := [indexed for indexed in self._fits if not indexed.fit.done]:
            groups = self._group_by_counts(pending)
            for part, columns, is_train in train_rows(parts, splits):
                for _ in self._workers.map(partial(_add, columns, is_train), groups):
                    pass
                if first:
                    progress.advance(part.num_rows)
            for indexed in pending:
                indexed.fit.end_pass()
            first = False
        progress.end()

    def _count(self, parts: Sequence[StagedPart], splits: SplitCodes) -> None:
        """Count the texts of all vocabularies, each part by a task; the other fits are not touched."""
        counted = [each for each in self._fits if isinstance(each.fit, VocabularyFeatureFit) and not each.fit.done]
        columns: dict[str, list[int]] = {}
        for each in counted:
            owner = vocabulary_owner(self._plan.features[each.index])
            assert owner is not None, "a fit that counts has a vocabulary"
            columns.setdefault(owner, []).append(each.index)
        blanks = {owner: self._vocabularies[owner].blank_code for owner in columns}
        jobs = (PartToCount(part, is_train) for part, _, is_train in train_rows(parts, splits))
        for found in self._executor.map(count_part, jobs, columns, blanks):
            for owner, (codes, counts) in found.items():
                self._vocabularies[owner].add_counts(codes, counts)
        for each in counted:
            each.fit.end_pass()

    def write(self, output: FeatureOutput, folder: Path) -> tuple[FittedFeature, ...]:
        """Write the vocabularies and other files of the features; return the fitted features in declared order."""
        vocabularies, rare = folder / VOCABULARY_FOLDER, folder / RARE_FOLDER
        vocabularies.mkdir()
        jobs = (fit.to_order() for fit in self._vocabularies.values())
        ordered = self._executor.map(order_vocabulary, jobs)

        def write_one(named: tuple[tuple[str, VocabularyFit], OrderedVocabulary]) -> None:
            (name, fit), found = named
            vocabulary = fit.close(found)
            if fit.are_cells:
                TextNotes().look_at(name, vocabulary.values)
            vocabulary.write(vocabularies / fit.file)
            if found.rare is not None:
                rare.mkdir(exist_ok=True)
                found.rare.write(rare / fit.file)

        for _ in self._workers.map(write_one, zip(self._vocabularies.items(), ordered, strict=True)):
            pass
        specs = [indexed.fit.finish(output) for indexed in self._fits]
        tables = self._workers.map(self._id_of_code, self._plan.features)
        return tuple(FittedFeature(spec, table) for spec, table in zip(specs, tables, strict=True))

    def _former_of(self, owner: str) -> Former | None:
        """Read the values of former days, which a vocabulary extends."""
        if self._former is None:
            return None
        needed = [
            feature.vocabulary.needed
            for feature in self._plan.features
            if feature.vocabulary is not None and vocabulary_owner(feature) == owner
        ]
        return Former(self._former.values(owner), self._former.day, frozenset(filter(None, needed)))

    def _fit_of(self, feature: PlannedFeature) -> FeatureFit:
        """Make the fit of a feature; one without a vocabulary stays as it was on the first day."""
        vocabulary = self._vocabulary_of(feature)
        if self._former is not None and vocabulary is None:
            return NothingToFit(self._former.spec(feature.name))
        return feature.fit(vocabulary)

    def _vocabulary_of(self, feature: PlannedFeature) -> VocabularyFit | None:
        owner = vocabulary_owner(feature)
        return None if owner is None else self._vocabularies[owner]

    def _group_by_counts(self, pending: Sequence[_IndexedFit]) -> list[list[_IndexedFit]]:
        """Group fits that update the same counts, so that one thread updates them."""
        groups: dict[str, list[_IndexedFit]] = {}
        for indexed in pending:
            feature = self._plan.features[indexed.index]
            groups.setdefault(vocabulary_owner(feature) or feature.name, []).append(indexed)
        return list(groups.values())

    def _id_of_code(self, feature: PlannedFeature) -> NDArray[np.int32] | None:
        vocabulary = self._vocabulary_of(feature)
        if vocabulary is None or feature.vocabulary is None:
            return None
        return vocabulary.ids_of_codes(feature.vocabulary.blank)


def _add(columns: StagedColumns, is_train: NDArray[np.bool_], fits: Sequence[_IndexedFit]) -> None:
    """Add the train rows of a part to fits that update the same counts."""
    for indexed in fits:
        indexed.fit.add(columns.cells(indexed.index).select(is_train))


@dataclass(frozen=True)
class PartToCount:
    """A staged part whose texts are to be counted, and a mask of its train rows."""

    part: StagedPart
    is_train: NDArray[np.bool_]


def count_part(
    job: PartToCount, columns: Mapping[str, Sequence[int]], blanks: Mapping[str, int]
) -> dict[str, tuple[NDArray[np.uint32], NDArray[np.int64]]]:
    """Count the texts of the train rows of a part.

    Args:
        job: the part.
        columns: the features that each vocabulary counts, by its owner.
        blanks: the code of the blank text of each vocabulary.

    Returns:
        For each vocabulary the codes that occur, and how often each does.
    """
    staged = job.part.columns()
    counted = {}
    for owner, indices in columns.items():
        cells = (staged.cells(index).select(job.is_train) for index in indices)
        codes = np.concatenate([codes_to_count(each, blanks[owner]) for each in cells])
        counted[owner] = np.unique(codes, return_counts=True)
    return counted
