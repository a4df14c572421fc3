"""Which id of each feature means "training has not seen this value", and which known ids are rare."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.features.vocabulary import read_counts
from rankelastor.data.manifest import VOCABULARY_FOLDER, Manifest
from rankelastor.data.prepared import PreparedDataset
from rankelastor.schema import CategoricalFeature, FeatureSchema, SequenceFeature

NO_ID = -1
"""Stands for the out-of-vocabulary id of a feature that has none: no cell holds it."""


@dataclass(frozen=True)
class UnseenIds:
    """The id of every id column of a batch that means "unseen"; ``NO_ID`` where the feature has none (hashed, say).

    ``categorical`` has one id a categorical feature, ``sequence`` one a sequence feature, both in declared order.
    ``shared_with_blanks`` names features whose out-of-vocabulary id stands for blanks too: it does not say that a
    value is unseen, so that they have ``NO_ID``.
    """

    categorical: NDArray[np.int32]
    sequence: NDArray[np.int32]
    shared_with_blanks: tuple[str, ...] = ()

    @classmethod
    def of(cls, manifest: Manifest) -> UnseenIds:
        """Those of a prepared folder or of a run."""
        schema, mixed = manifest.feature_schema, shared_with_blanks(manifest)
        names = set(manifest.vocabulary_files).difference(mixed)
        return cls(_last_ids(schema.categorical, names), _last_ids(schema.sequence, names), mixed)


def shared_with_blanks(manifest: Manifest) -> tuple[str, ...]:
    """Features whose out-of-vocabulary id blanks have too: with ``blank: out_of_vocabulary``, or sharing such a one.

    Blank elements of a sequence are padding, whatever it shares.
    """
    return tuple(name for name, file in manifest.vocabulary_files.items() if file.blank == "out_of_vocabulary")


def first_rare_ids(dataset: PreparedDataset, *, max_count: int) -> dict[str, int]:
    """For each feature with a vocabulary, the first id whose value the train split holds at most ``max_count`` times.

    Ids are ordered by count, so that all later ids up to the out-of-vocabulary one are as rare. Without a rare value
    it is the out-of-vocabulary id itself.

    Raises:
        DataError: a vocabulary is missing or damaged.
    """
    folder, files = dataset.folder / VOCABULARY_FOLDER, dataset.manifest.vocabulary_files
    by_file = {file: _first_rare_id(folder / file, max_count) for file in {file.file for file in files.values()}}
    return {name: by_file[file.file] for name, file in files.items()}


def id_features(schema: FeatureSchema) -> list[CategoricalFeature | SequenceFeature]:
    """The features that hold ids: categorical ones, then sequences."""
    return [*schema.categorical, *schema.sequence]


def _last_ids(features: Iterable[CategoricalFeature | SequenceFeature], names: Collection[str]) -> NDArray[np.int32]:
    return np.array([feature.num_ids - 1 if feature.name in names else NO_ID for feature in features], dtype=np.int32)


def _first_rare_id(path: Path, max_count: int) -> int:
    counts = read_counts(path)
    return 1 + int(np.searchsorted(-counts, -max_count))
