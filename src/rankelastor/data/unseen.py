"""Find the ids that mean "not seen in training", and the known ids that are rare."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.features.vocabulary import read_counts
from rankelastor.data.manifest import VOCABULARY_FOLDER, Manifest
from rankelastor.data.prepared import PreparedDataset
from rankelastor.remote.remote_path import AnyPath
from rankelastor.schema import CategoricalFeature, FeatureSchema, SequenceFeature

NO_ID = -1
"""Placeholder for features without an out-of-vocabulary id; no cell holds it."""


@dataclass(frozen=True)
class UnseenIds:
    """The id of each id feature that means "unseen", or ``NO_ID`` if it has none (hashed features, for example).

    ``categorical`` has one id per categorical feature, ``sequence`` one per sequence feature, in declared order.
    ``shared_with_blanks`` names features whose out-of-vocabulary id stands for blanks too. That id does not tell
    that a value is unseen, so these features have ``NO_ID``.
    """

    categorical: NDArray[np.int32]
    sequence: NDArray[np.int32]
    shared_with_blanks: tuple[str, ...] = ()

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> UnseenIds:
        """Collect the unseen ids of a prepared folder or of a run."""
        schema, mixed = manifest.feature_schema, list_shared_with_blanks(manifest)
        names = set(manifest.vocabulary_files).difference(mixed)
        return cls(_last_ids(schema.categorical, names), _last_ids(schema.sequence, names), mixed)


def list_shared_with_blanks(manifest: Manifest) -> tuple[str, ...]:
    """List features whose blanks are out of vocabulary, by their own rule or by that of the feature they share.

    Blank elements of a sequence are always padding, even if the shared feature has another rule.
    """
    return tuple(name for name, file in manifest.vocabulary_files.items() if file.blank == "out_of_vocabulary")


def first_rare_ids(dataset: PreparedDataset, *, max_count: int) -> dict[str, int]:
    """Find the first rare id of each vocabulary: of a value that train holds at most ``max_count`` times.

    Ids are ordered by count, so all later ids up to the out-of-vocabulary one are rare too. Without a rare value it
    is the out-of-vocabulary id itself.

    Raises:
        DataError: a vocabulary is missing or damaged.
    """
    folder, files = dataset.place / VOCABULARY_FOLDER, dataset.manifest.vocabulary_files
    by_file = {file: _first_rare_id(folder / file, max_count) for file in {file.file for file in files.values()}}
    return {name: by_file[file.file] for name, file in files.items()}


def id_features(schema: FeatureSchema) -> list[CategoricalFeature | SequenceFeature]:
    """List the features that hold ids: categorical ones, then sequences."""
    return [*schema.categorical, *schema.sequence]


def _last_ids(features: Iterable[CategoricalFeature | SequenceFeature], names: Collection[str]) -> NDArray[np.int32]:
    return np.array([feature.num_ids - 1 if feature.name in names else NO_ID for feature in features], dtype=np.int32)


def _first_rare_id(path: AnyPath, max_count: int) -> int:
    counts = read_counts(path)
    return 1 + int(np.searchsorted(-counts, -max_count))
