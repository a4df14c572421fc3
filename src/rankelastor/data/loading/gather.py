"""Gather arbitrary rows of shards, mapped into memory or at an address, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.loading.permutation import Places
from rankelastor.data.prepared import PreparedSplit
from rankelastor.data.remote_shards import RemoteShards
from rankelastor.data.shards import Number, Shard

Columns = dict[str, NDArray[Any]]
"""The arrays of some rows, named as in ``Shard``."""


def gather(split: PreparedSplit, rows: Places, stops: list[int]) -> Iterator[Columns]:
    """Yield copies of ``rows`` in batches; batch i ends before ``stops[i]``.

    Rows from several shards are first collected shard by shard for all batches together, then distributed: a batch
    of 4,096 rows from 40 shards would otherwise take 40 copies of a hundred rows. NumPy uses one thread: the parallel
    ``index_select`` of PyTorch is faster on idle cores, but ten times slower while the training step uses them.
    """
    shards = np.unique(rows // split.shard_rows) if len(split.shards) > 1 else np.zeros(1, dtype=np.int64)
    if isinstance(split.shards, RemoteShards):
        split.shards.prefetch(shards.tolist())
    if len(shards) == 1:
        source, places = _columns(split.shards[shards[0]]), rows - shards[0] * split.shard_rows
    else:
        source, places = _collect(split, rows)
    start = 0
    for stop in stops:
        yield {name: _take(values, places[start:stop]) for name, values in source.items()}
        start = stop


def _collect(split: PreparedSplit, rows: Places) -> tuple[Columns, Places]:
    """Collect the rows sorted by shard, and find the index of each of ``rows`` among them."""
    # NumPy uses radix sort for the smallest integer types.
    shard_of_row = (rows // split.shard_rows).astype(np.min_scalar_type(len(split.shards)))
    by_shard = np.argsort(shard_of_row, kind="stable")
    ends = np.cumsum(np.bincount(shard_of_row, minlength=len(split.shards)))
    sorted_rows = rows[by_shard]
    collected = {
        name: np.empty((len(rows), *values.shape[1:]), dtype=values.dtype)
        for name, values in _columns(split.shards[0]).items()
    }
    start = 0
    for index, stop in enumerate(ends.tolist()):
        if start < stop:
            inside = sorted_rows[start:stop] - index * split.shard_rows
            for name, values in _columns(split.shards[index]).items():
                _take(values, inside, out=collected[name][start:stop])
        start = stop
    places = np.empty_like(by_shard)
    places[by_shard] = np.arange(len(rows))
    return collected, places


def _columns(shard: Shard) -> Columns:
    present = {field.name: getattr(shard, field.name) for field in fields(shard)}
    return {name: values for name, values in present.items() if values is not None}


def _take(values: NDArray[Number], rows: Places, out: NDArray[Number] | None = None) -> NDArray[Number]:
    taken = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype) if out is None else out
    # With "clip", NumPy writes to `out` without a buffer; no index is out of range.
    np.take(values, rows, axis=0, out=taken, mode="clip")
    return taken
