"""Batches of a prepared split: whole batches are gathered by index from memory-mapped rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.shards import Number, Shard
from rankelastor.schema import Batch

RowNumbers = NDArray[np.integer[Any]]


class BatchLoader:
    """Batches of ``batch_size`` rows; the last one of an epoch may be smaller.

    Without ``shuffle`` rows come as they stand. With it, each epoch is a permutation of all rows, drawn uniformly
    from (seed, epoch) alone: neither the number of shards nor earlier epochs matter. It takes 4 bytes a row.

    Args:
        split: the rows.
        batch_size: rows in a batch.
        shuffle: another order each epoch.
        seed: of the orders.
    """

    def __init__(self, split: PreparedSplit, *, batch_size: int, shuffle: bool = False, seed: int = 0) -> None:
        assert batch_size > 0, "settings hold it positive"
        self._split = split
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._seed = seed

    @property
    def num_rows(self) -> int:
        """Rows in an epoch."""
        return self._split.num_rows

    def __len__(self) -> int:
        return math.ceil(self.num_rows / self._batch_size)

    def epoch(self, index: int = 0) -> Iterator[Batch]:
        """The batches of one epoch."""
        order = epoch_order(self.num_rows, seed=self._seed, epoch=index) if self._shuffle else None
        for start in range(0, self.num_rows, self._batch_size):
            stop = min(start + self._batch_size, self.num_rows)
            yield self._gather(np.arange(start, stop) if order is None else order[start:stop])

    def _gather(self, rows: RowNumbers) -> Batch:
        split = self._split
        if len(split.shards) == 1:
            return _batch(split.shards[0], rows)
        shard_of_row = rows // split.shard_rows
        by_shard = np.argsort(shard_of_row, kind="stable")
        counts = np.bincount(shard_of_row, minlength=len(split.shards))
        pieces = [
            _take(split.shards[index], piece - index * split.shard_rows)
            for index, piece in enumerate(np.split(rows[by_shard], np.cumsum(counts)[:-1]))
            if len(piece)
        ]
        return _batch(_concatenate(pieces), np.argsort(by_shard))


def epoch_order(num_rows: int, *, seed: int, epoch: int) -> RowNumbers:
    """A permutation of ``num_rows`` row numbers, uniform, from (seed, epoch) alone.

    Example:
        >>> sorted(epoch_order(4, seed=1, epoch=0).tolist())
        [0, 1, 2, 3]
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
    rows: RowNumbers = np.arange(num_rows, dtype=np.int32 if num_rows <= np.iinfo(np.int32).max else np.int64)
    generator.shuffle(rows)
    return rows


def _batch(shard: Shard, rows: RowNumbers) -> Batch:
    taken = _take(shard, rows)
    return Batch(
        categorical=torch.from_numpy(taken.categorical),
        numeric=torch.from_numpy(taken.numeric),
        label=torch.from_numpy(taken.label),
        group=None if taken.group is None else torch.from_numpy(taken.group),
        sequence=None if taken.sequence is None else torch.from_numpy(taken.sequence),
    )


def _take(shard: Shard, rows: RowNumbers) -> Shard:
    """Copies of some rows.

    One thread of NumPy: PyTorch's parallel ``index_select`` is faster on idle cores, but ten times slower where the
    training step keeps them busy.
    """
    return Shard(
        categorical=_take_rows(shard.categorical, rows),
        numeric=_take_rows(shard.numeric, rows),
        label=_take_rows(shard.label, rows),
        group=None if shard.group is None else _take_rows(shard.group, rows),
        sequence=None if shard.sequence is None else _take_rows(shard.sequence, rows),
    )


def _take_rows(values: NDArray[Number], rows: RowNumbers) -> NDArray[Number]:
    taken = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype)
    # With "clip" NumPy writes straight to `out`; no index is out of range.
    np.take(values, rows, axis=0, out=taken, mode="clip")
    return taken


def _concatenate(pieces: list[Shard]) -> Shard:
    groups = [piece.group for piece in pieces if piece.group is not None]
    sequences = [piece.sequence for piece in pieces if piece.sequence is not None]
    return Shard(
        categorical=np.concatenate([piece.categorical for piece in pieces]),
        numeric=np.concatenate([piece.numeric for piece in pieces]),
        label=np.concatenate([piece.label for piece in pieces]),
        group=np.concatenate(groups) if groups else None,
        sequence=np.concatenate(sequences) if sequences else None,
    )
