"""Train the out-of-vocabulary row: during training, replace some rare values by out of vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from rankelastor.config.training import RareAsUnseenSettings
from rankelastor.data.prepared import PreparedDataset
from rankelastor.data.unseen import first_rare_ids
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, SequenceFeature

_DRAWS = 1 << 16
_STREAM = 0x756E7365  # separates these draws from the loader's, which are seeded by (seed, epoch)

Place = tuple[int, int, int]
"""Where the rows of a batch start and stop in the batch of all processes, and the number of rows of that."""


class RareAsUnseen:
    """Replacement of rare ids by the out-of-vocabulary id, each with the same probability.

    Ids are ordered by count, so that the rare ids of a field are a range just below its last id, which is the
    out-of-vocabulary id. The replacement depends only on (seed, step) and the batch. Labels, weights and groups are
    not changed.

    Args:
        first_rare: first rare id of each feature; ids of other features are not replaced.
        features: the id features of a batch: categorical features, then sequences.
        share: probability of a replacement, to the nearest 1/65536.
        seed: seed of the random draws.

    Example:
        >>> features = [CategoricalFeature("item", 6)]  # padding, four known values, out of vocabulary (5)
        >>> unseen = RareAsUnseen({"item": 3}, features, share=1.0, seed=1)
        >>> ids = torch.tensor([[0], [1], [2], [3], [4], [5]], dtype=torch.int32)
        >>> batch = Batch(categorical=ids, numeric=torch.zeros(6, 0), labels=None, group=None)
        >>> unseen(batch, step=1).categorical.flatten().tolist()
        [0, 1, 2, 5, 5, 5]
    """

    def __init__(
        self,
        first_rare: dict[str, int],
        features: Sequence[CategoricalFeature | SequenceFeature],
        *,
        share: float,
        seed: int,
    ) -> None:
        self._num_drawn = round(share * _DRAWS)
        self._seed = seed
        categorical = [feature for feature in features if isinstance(feature, CategoricalFeature)]
        sequence = [feature for feature in features if isinstance(feature, SequenceFeature)]
        self._categorical = _Range(first_rare, categorical, [1] * len(categorical))
        self._sequence = _Range(first_rare, sequence, [feature.max_length for feature in sequence])

    @classmethod
    def of(cls, dataset: PreparedDataset, settings: RareAsUnseenSettings, *, seed: int) -> Self | None:
        """Make the replacement that the settings ask for; None if nothing would be replaced.

        Features with frozen vectors keep their ids: their out-of-vocabulary vector cannot be trained.
        """
        if settings.share == 0:
            return None
        frozen = _find_frozen_features(dataset.schema)
        rare_ids = first_rare_ids(dataset, max_count=settings.max_count)
        first_rare = {name: first for name, first in rare_ids.items() if name not in frozen}
        unseen = cls(first_rare, dataset.schema.with_ids, share=settings.share, seed=seed)
        return unseen if unseen.has_rare else None

    @property
    def has_rare(self) -> bool:
        """Whether any feature has rare values."""
        return self._categorical.has_rare or self._sequence.has_rare

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

    def _replace(self, ids: Tensor, rare: _Range, draws: np.random.Generator, place: Place) -> Tensor:
        if not rare.has_rare:
            return ids
        known = ids.numpy()
        start, stop, num_rows = place
        drawn = draws.integers(0, _DRAWS, size=(num_rows, known.shape[1]), dtype=np.uint16)
        replaced = drawn[start:stop] < self._num_drawn
        replaced &= known >= rare.first
        replaced &= known < rare.last
        changed = known.copy()
        np.copyto(changed, rare.last, where=replaced)
        return torch.from_numpy(changed)


def _find_frozen_features(schema: FeatureSchema) -> set[str]:
    """Find the features with frozen pretrained vectors, and the features that share them."""
    owners = {
        feature.name
        for feature in schema.categorical
        if feature.pretrained is not None and not feature.pretrained.trained
    }
    return owners | {feature.name for feature in schema.with_ids if feature.shares in owners}


class _Range:
    """The first rare id and the out-of-vocabulary id of each id column, int32 (column,)."""

    def __init__(
        self,
        first_rare: dict[str, int],
        features: Sequence[CategoricalFeature | SequenceFeature],
        widths: Sequence[int],
    ) -> None:
        first = [first_rare.get(feature.name, feature.num_ids - 1) for feature in features]
        last = [feature.num_ids - 1 for feature in features]
        repeats = np.array(widths, dtype=np.int64)
        self.first = np.array(first, dtype=np.int32).repeat(repeats)
        self.last = np.array(last, dtype=np.int32).repeat(repeats)
        self.has_rare = bool((self.first < self.last).any())
