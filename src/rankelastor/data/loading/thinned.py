"""The rows of an epoch if only a share of the negatives is trained on."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from rankelastor.data.loading.order import RowOrder
from rankelastor.data.prepared import PreparedSplit

_STREAM = 0x7468696E  # separates these draws from those of the order, which have the same seed and epoch


class RowsOfEpochs(Protocol):
    """Chooses the rows of each epoch."""

    @property
    def num_rows(self) -> int:
        """Number of rows in an epoch."""

    def rows(self, epoch: int) -> Int64[ndarray, " row"]:
        """Return the row numbers of an epoch, ascending."""

    def identity(self) -> dict[str, Any]:
        """Return what the rows depend on beside the data, as values for JSON."""


class ThinnedNegatives:
    """All rows with label 1 and, in each epoch, a new sample of those with label 0.

    The sample depends on (seed, epoch) alone and always has the same size. It takes 8 bytes per row of the split while
    it is drawn, and per row of the epoch afterwards.

    Args:
        split: rows with a single label.
        share: share of the rows with label 0 to keep, above 0 and at most 1.
        seed: seed of the samples.
    """

    def __init__(self, split: PreparedSplit, *, share: float, seed: int) -> None:
        label = np.concatenate([shard.labels[:, 0] for shard in split.shards])
        self._positive, self._negative = np.flatnonzero(label > 0), np.flatnonzero(label <= 0)
        self._num_kept = min(len(self._negative), max(1, round(share * len(self._negative))))
        self._share, self._seed = share, seed

    @property
    def num_rows(self) -> int:
        """Number of rows in an epoch."""
        return len(self._positive) + self._num_kept

    def rows(self, epoch: int) -> Int64[ndarray, " row"]:
        """Return the row numbers of an epoch, ascending."""
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, epoch, _STREAM])))
        kept = draws.choice(self._negative, self._num_kept, replace=False, shuffle=False)
        return np.sort(np.concatenate([self._positive, kept]))

    def identity(self) -> dict[str, Any]:
        """Return what the rows depend on beside the data, as values for JSON."""
        return {"negatives_kept": self._share, "seed": self._seed}


class SelectedRows:
    """An order of selected rows: position i of ``order`` is the row ``rows[i]``."""

    def __init__(self, order: RowOrder, rows: Int64[ndarray, " row"]) -> None:
        self._order, self._rows = order, rows

    def rows(self, start: int, stop: int) -> Int64[ndarray, " row"]:
        """Return the row numbers at the positions ``start`` to ``stop - 1``."""
        selected: Int64[ndarray, " row"] = self._rows[self._order.rows(start, stop)]
        return selected
