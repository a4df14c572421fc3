"""Count the rows of a split whose features occur in train, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt64
from numpy import ndarray

from rankelastor.data.prepared import PreparedDataset, PreparedSplit
from rankelastor.data.shards import Shard
from rankelastor.schema import SplitName

SAMPLED_ROWS = 50_000
_CHUNK_ROWS = 200_000
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Repeats:
    """Repeated rows among sampled rows of a split.

    Attributes:
        num_rows: number of sampled rows of the split.
        num_repeated: number of those whose features equal those of a train row.
        num_same_label: number of these whose labels equal those of such a train row, too.
        num_other_label: number of the repeated rows of which some such train row has other labels.
        train_share: share of sampled train rows whose features equal those of another train row.
    """

    num_rows: int
    num_repeated: int
    num_same_label: int
    num_other_label: int
    train_share: float


def count_repeats(dataset: PreparedDataset, name: SplitName, *, most: int = SAMPLED_ROWS) -> Repeats:
    """Count rows of a split whose features equal those of a train row; group and weight do not count.

    Rows are compared by 64-bit hashes. Train is read once, in bounded memory; at most ``most`` rows, evenly spaced, of
    either split are looked up in it.
    """
    sampled, train = _hashes_of_some(dataset.split(name), most), _hashes_of_some(dataset.split("train"), most)
    features, labelled, train_features = (_Occurrences(hashes) for hashes in (sampled[0], sampled[1], train[0]))
    for shard in dataset.split("train").shards:
        for hashes, with_labels in _hashes(shard):
            features.add(hashes)
            labelled.add(with_labels)
            train_features.add(hashes)
    equal, equal_with_labels = features.counts(), labelled.counts()
    return Repeats(
        num_rows=len(sampled[0]),
        num_repeated=int((equal > 0).sum()),
        num_same_label=int((equal_with_labels > 0).sum()),
        num_other_label=int((equal > equal_with_labels).sum()),
        train_share=float((train_features.counts() > 1).mean()),
    )


class _Occurrences:
    """How often some keys occur in what is added."""

    def __init__(self, keys: UInt64[ndarray, " row"]) -> None:
        self._known, self._inverse = np.unique(keys, return_inverse=True)
        self._counts = np.zeros(len(self._known), dtype=np.int64)

    def add(self, keys: UInt64[ndarray, " row"]) -> None:
        places = np.searchsorted(self._known, keys).clip(max=len(self._known) - 1)
        self._counts += np.bincount(places[self._known[places] == keys], minlength=len(self._known))

    def counts(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Number of occurrences of each of the keys, in their order."""
        return self._counts[self._inverse]


def _hashes_of_some(split: PreparedSplit, most: int) -> tuple[UInt64[ndarray, " row"], UInt64[ndarray, " row"]]:
    step = max(1, -(-split.num_rows // most))
    pieces = [piece for shard in split.shards for piece in _hashes(shard, step=step)]
    return np.concatenate([piece[0] for piece in pieces]), np.concatenate([piece[1] for piece in pieces])


def _hashes(shard: Shard, *, step: int = 1) -> Iterator[tuple[UInt64[ndarray, " row"], UInt64[ndarray, " row"]]]:
    """Hash the features of each ``step``-th row of a shard, and features with labels, piece by piece."""
    columns = [column for column in (shard.categorical, shard.numeric, shard.sequence) if column is not None]
    for start in range(0, shard.num_rows, _CHUNK_ROWS * step):
        rows = slice(start, start + _CHUNK_ROWS * step, step)
        hashes = np.zeros(len(shard.labels[rows]), dtype=np.uint64)
        for column in columns:
            hashes = _hash_into(hashes, column[rows])
        yield hashes, _hash_into(hashes, shard.labels[rows])


def _hash_into(hashes: UInt64[ndarray, " row"], values: ndarray) -> UInt64[ndarray, " row"]:
    """Mix the 32-bit values (row, column) of further columns into the hashes of rows."""
    for column in np.ascontiguousarray(values.view(np.uint32).T):
        hashes = (hashes ^ column) * _MIX
        hashes ^= hashes >> np.uint64(29)
    return hashes
