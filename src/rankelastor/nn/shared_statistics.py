"""Statistics of a batch of which other processes have a part."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

OverRanks = Callable[[Tensor], Tensor]
"""Sums a tensor over the processes that have parts of a batch; gradients pass through it."""


class SharedStatistics:
    """The base class of layers that couple the examples of a batch, and know what to do with a part of it.

    ``over_ranks`` is set where several processes train and each has a share of the batch. The layer then gets all that
    it asks of the batch (means, covariances, shares, counts) from sums by ``over_ranks``, which all processes call
    alike. None: the batch is whole.
    """

    over_ranks: OverRanks | None = None
