"""A part of the rows of a split: a sample that training learns from, or the stretch that one process scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from rankelastor.collectives.world import World
from rankelastor.data.prepared import PreparedSplit
from rankelastor.errors import DataError

_STREAM = 0x73686172  # separates these draws from others


class ShareOfRows:
    """The same rows in every epoch: a sample that holds those of every smaller share, whatever the seed of training.

    It takes 8 bytes per row of the split while it is drawn, and per row of the sample afterwards.

    Args:
        split: the rows.
        share: share of the rows to keep, above 0 and at most 1.
    """

    def __init__(self, split: PreparedSplit, *, share: float) -> None:
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([split.num_rows, _STREAM])))
        num_kept = max(1, round(share * split.num_rows))
        self._rows: Int64[ndarray, " row"] = np.sort(draws.permutation(split.num_rows)[:num_kept])
        self._share = share

    @property
    def num_rows(self) -> int:
        """Number of rows in an epoch."""
        return len(self._rows)

    def rows(self, epoch: int) -> Int64[ndarray, " row"]:
        """Return the row numbers, ascending, which are the same in every epoch."""
        del epoch
        return self._rows

    def identity(self) -> dict[str, Any]:
        """Return what the rows depend on beside the data, as values for JSON."""
        return {"train_share": self._share}


@dataclass(frozen=True)
class StretchOfRows:
    """The rows from ``start`` to ``stop - 1`` in every epoch.

    Example:
        >>> StretchOfRows(2, 5).rows(1)
        array([2, 3, 4])
    """

    start: int
    stop: int

    @classmethod
    def of(cls, split: PreparedSplit, world: World) -> Self:
        """Choose the stretch of a rank.

        Raises:
            DataError: there are fewer rows than processes.
        """
        if world.size > split.num_rows:
            raise DataError(
                f"each of {world.size} processes must get a row, but {split.name} has {split.num_rows} rows; "
                "try fewer processes"
            )
        return cls(*world.share(split.num_rows))

    @property
    def num_rows(self) -> int:
        """Number of rows in an epoch."""
        return self.stop - self.start

    def rows(self, epoch: int) -> Int64[ndarray, " row"]:
        """Return the row numbers, ascending, which are the same in every epoch."""
        del epoch
        return np.arange(self.start, self.stop)

    def identity(self) -> dict[str, Any]:
        """Return what the rows depend on beside the data, as values for JSON."""
        return {"stretch": [self.start, self.stop]}
