"""Train the out-of-vocabulary row: during training, replace some rare values by out of vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rankelastor.config.training import RareAsUnseenSettings
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.unseen import rare_ids
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, SequenceFeature

_DRAWS = 1 << 16
_STREAM = 0x756E7365  # separates these draws from the loader's, which are seeded by (seed, epoch)

Place = tuple[int, int, int]
"""Where the rows of a batch start and stop in the batch of all processes, and the number of rows of that."""


class RareAsUnseen:
    """Replacement of rare ids by the out-of-vocabulary id, each with the same probability.

    The replacement depends only on (seed, step) and the batch. Labels, weights and groups are not changed.

    Args:
        rare_ids: the rare ids of each feature, rising; ids of other features are not replaced.
        features: the id features of a batch: categorical features, then sequences.
        share: probability of a replacement, to the nearest 1/65536.
        seed: seed of the random draws.

    Example:
        >>> features = [CategoricalFeature("item", 6)]  # padding, four known values, out of vocabulary (5)
        >>> unseen = RareAsUnseen({"item": np.array([3, 4])}, features, share=1.0, seed=1)
        >>> ids = torch.tensor([[0], [1], [2], [3], [4], [5]], dtype=torch.int32)
        >>> batch = Batch(categorical=ids, numeric=torch.zeros(6, 0), labels=None, group=None)
        >>> unseen(batch, step=1).categorical.flatten().tolist()
        [0, 1, 2, 5, 5, 5]
    """

    def __init__(
        self,
        rare_ids: Mapping[str, NDArray[np.int32]],
        features: Sequence[CategoricalFeature | SequenceFeature],
        *,
        share: float,
        seed: int,
    ) -> None:
        self._num_drawn = round(share * _DRAWS)
        self._seed = seed
        categorical = [feature for feature in features if isinstance(feature, CategoricalFeature)]
        sequence = [feature for feature in features if isinstance(feature, SequenceFeature)]
        self._categorical = _Rare(rare_ids, categorical, [1] * len(categorical))
        self._sequence = _Rare(rare_ids, sequence, [feature.max_length for feature in sequence])

    @classmethod
    def of(cls, dataset: PreparedDataset, settings: RareAsUnseenSettings, *, seed: int) -> Self | None:
        """Make the replacement that the settings ask for; None if nothing would be replaced.

        Features with frozen vectors keep their ids: their out-of-vocabulary vector cannot be trained.
        """
        if settings.share == 0:
            return None
        frozen = _find_frozen_features(dataset.schema)
        found = rare_ids(dataset, max_count=settings.max_count)
        replaced = {name: ids for name, ids in found.items() if name not in frozen}
        unseen = cls(replaced, dataset.schema.with_ids, share=settings.share, seed=seed)
        return unseen if unseen.has_rare else None

    @property
    def has_rare(self) -> bool:
        """Whether any feature has rare values."""
        return self._categorical.is_any or self._sequence.is_any

    def replace_in(self, batches: Iterable[tuple[Batch, Place]], *, first_step: int) -> Iterator[Batch]:
        """Iterate over the batches of training steps from ``first_step`` on, with some rare ids replaced."""
        for step, (batch, place) in enumerate(batches, start=first_step):
            yield self(batch, step=step, place=place)

    def __call__(self, batch: Batch, *, step: int, place: Place | None = None) -> Batch:
        """Copy the batch of training step ``step`` with some rare ids replaced.

        ``place`` says where its rows lie in the batch of all processes, if it is a share of that.
        """
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, step, _STREAM])))
        place = place or (0, batch.num_examples, batch.num_examples)
        categorical = self._replace(batch.categorical, self._categorical, draws, place)
        if batch.sequence is None:
            return replace(batch, categorical=categorical)
        return replace(
            batch, categorical=categorical, sequence=self._replace(batch.sequence, self._sequence, draws, place)
        )

    def _replace(self, ids: Tensor, rare: _Rare, draws: np.random.Generator, place: Place) -> Tensor:
        if not rare.is_any:
            return ids
        known = ids.numpy()
        start, stop, num_rows = place
        drawn = draws.integers(0, _DRAWS, size=(num_rows, known.shape[1]), dtype=np.uint16)
        replaced = drawn[start:stop] < self._num_drawn
        replaced &= rare.are_rare(known)
        changed = known.copy()
        np.copyto(changed, rare.unseen, where=replaced)
        return torch.from_numpy(changed)


def _find_frozen_features(schema: FeatureSchema) -> set[str]:
    """Find the features with frozen pretrained vectors, and the features that share them."""
    owners = {
        feature.name
        for feature in schema.categorical
        if feature.pretrained is not None and not feature.pretrained.trained
    }
    return owners | {feature.name for feature in schema.with_ids if feature.shares in owners}


class _Rare:
    """The rare ids of each id column, and the out-of-vocabulary id of each, int32 (column,).

    Ids of a vocabulary that was not extended are ordered by count, so that the rare ones are a range just below the
    out-of-vocabulary id; those of others are looked up in a table of the column.
    """

    def __init__(
        self,
        rare_ids: Mapping[str, NDArray[np.int32]],
        features: Sequence[CategoricalFeature | SequenceFeature],
        widths: Sequence[int],
    ) -> None:
        columns = [feature for feature, width in zip(features, widths, strict=True) for _ in range(width)]
        self.unseen = np.array([feature.out_of_vocabulary_id for feature in columns], dtype=np.int32)
        first = self.unseen.copy()
        self._tables: dict[int, NDArray[np.bool_]] = {}
        by_feature: dict[str, NDArray[np.bool_]] = {}
        for column, feature in enumerate(columns):
            rare = rare_ids.get(feature.name, np.zeros(0, dtype=np.int32))
            start = feature.out_of_vocabulary_id - len(rare)
            if np.array_equal(rare, np.arange(start, feature.out_of_vocabulary_id)):
                first[column] = start
                continue
            if feature.name not in by_feature:
                by_feature[feature.name] = np.isin(np.arange(feature.num_ids), rare)
            self._tables[column] = by_feature[feature.name]
        self._first = first
        self.is_any = bool(self._tables) or bool((first < self.unseen).any())

    def are_rare(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which ids, int32 (row, column), are rare."""
        found: NDArray[np.bool_] = (ids >= self._first) & (ids < self.unseen)
        for column, table in self._tables.items():
            found[:, column] = table[ids[:, column]]
        return found
