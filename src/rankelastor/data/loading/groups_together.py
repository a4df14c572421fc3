"""The order of an epoch that keeps the rows of a group together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from rankelastor.data.loading.permutation import Places
from rankelastor.data.prepared import PreparedSplit

_STREAM = 0x67726F75  # separates these draws from those of other orders, which are seeded by (seed, epoch)


@dataclass(frozen=True)
class GroupsTogether:
    """The groups of all rows, which an order keeps together.

    Attributes:
        group: number of each row's group, counted from 0; 8 bytes a row.
        num_groups: number of groups.
    """

    group: Int64[ndarray, " row"]
    num_groups: int

    @classmethod
    def of(cls, split: PreparedSplit) -> Self:
        """Read the groups of a split that has a group field."""
        groups = [shard.group for shard in split.shards if shard.group is not None]
        assert split.has_group, "recipes with an objective within groups have a group"
        keys, group = np.unique(np.concatenate(groups), return_inverse=True)
        return cls(group.astype(np.int64), len(keys))

    def order(self, *, seed: int, epoch: int) -> GroupedRows:
        """Make the order of one epoch: groups in uniform order, and rows in uniform order within each.

        Example:
            >>> groups = GroupsTogether(np.array([0, 1, 0, 1]), num_groups=2)
            >>> rows = groups.order(seed=1, epoch=0).rows(0, 4)
            >>> sorted(rows.tolist()), len(set(groups.group[rows[:2]])), len(set(groups.group[rows[2:]]))
            ([0, 1, 2, 3], 1, 1)
        """
        draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch, _STREAM])))
        turn = draws.permutation(self.num_groups)
        return GroupedRows(np.lexsort((draws.random(len(self.group)), turn[self.group])))


@dataclass(frozen=True)
class GroupedRows:
    """Row numbers in an order that keeps groups together."""

    order: Int64[ndarray, " row"]

    def rows(self, start: int, stop: int) -> Places:
        """Return the row numbers at the positions ``start`` to ``stop - 1``."""
        return self.order[start:stop]
