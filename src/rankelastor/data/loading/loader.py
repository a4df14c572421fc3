"""Load batches of a prepared split from any position, in an order that depends on (seed, epoch) alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rankelastor.collectives.world import World
from rankelastor.config.training import OrderSettings, UniformOrder
from rankelastor.data.loading.epoch_steps import EpochSteps
from rankelastor.data.loading.gather import Columns, gather
from rankelastor.data.loading.groups_together import GroupsTogether
from rankelastor.data.loading.order import RowOrder, StoredOrder, epoch_order
from rankelastor.data.loading.thinned import RowsOfEpochs, SelectedRows
from rankelastor.data.prepared import PreparedSplit
from rankelastor.errors import RunError
from rankelastor.schema import Batch

ROWS_PER_PASS = 32_768
"""Largest number of rows gathered at once: 5 MB for 39 fields."""

PASS_BYTES = 64 << 20
"""Largest number of bytes gathered at once, but at least one batch: rows with long sequences are wide."""


class BatchLoader:
    """Loader of batches of ``batch_size`` rows; the last batch of an epoch may be smaller.

    Without ``shuffle`` rows keep their stored order. With it, each epoch is a permutation of all rows that depends on
    (order, seed, epoch) alone: neither the number of shards nor earlier epochs matter. Several processes share each
    step, see ``EpochSteps``.

    Args:
        split: the rows.
        batch_size: number of rows in a batch of all processes together.
        shuffle: whether each epoch has another order.
        order: the kind of order, if ``shuffle``.
        seed: seed of the orders.
        world: the number of processes and the rank of this one.
        thinned: selects the rows of each epoch; None takes all.
        whole_groups: whether each epoch keeps the rows of a group together, in a new order of groups and of rows within
            them: then a batch holds whole groups, but for one at each of its ends. It takes the place of ``order``.
        offset: ``Batch.offset`` of each row of the split, float32 (row, task); None: batches have none.

    Raises:
        DataError: there are fewer rows than processes, in all or in a batch.
    """

    def __init__(
        self,
        split: PreparedSplit,
        *,
        batch_size: int,
        shuffle: bool = False,
        order: OrderSettings | None = None,
        seed: int = 0,
        world: World | None = None,
        thinned: RowsOfEpochs | None = None,
        whole_groups: bool = False,
        offset: NDArray[np.float32] | None = None,
    ) -> None:
        assert batch_size > 0, "settings require a positive batch size"
        assert thinned is None or not whole_groups, "the groups of a sample of the rows are not known"
        self._groups = GroupsTogether.of(split) if whole_groups else None
        self._split = split
        self._order = (order or UniformOrder()) if shuffle else None
        self._seed = seed
        self._thinned = thinned
        self._offset = offset
        self._num_rows = split.num_rows if thinned is None else thinned.num_rows
        self._steps = EpochSteps(self._num_rows, batch_size, world or World())

    @property
    def num_rows(self) -> int:
        """Number of rows in an epoch, of all processes together."""
        return self._num_rows

    @property
    def batch_size(self) -> int:
        """Number of rows in a batch of all processes together; the last batch of an epoch may have fewer."""
        return self._steps.batch_size

    def __len__(self) -> int:
        return len(self._steps)

    def epoch(self, index: int = 0, *, first_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from ``first_batch`` on; earlier ones are not read."""
        order = self._order_of(index)
        batches_per_pass = self._batches_per_pass()
        for first in range(first_batch, len(self), batches_per_pass):
            bounds = [self._steps.bounds(step) for step in range(first, min(first + batches_per_pass, len(self)))]
            rows = np.concatenate([order.rows(start, stop) for start, stop in bounds])
            stops = np.cumsum([stop - start for start, stop in bounds]).tolist()
            offsets = itertools.repeat(None) if self._offset is None else np.split(self._offset[rows], stops[:-1])
            for columns, offset in zip(gather(self._split, rows, stops), offsets, strict=False):
                yield _batch(columns if offset is None else {**columns, "offset": offset})

    def rows(self, epoch: int, batch: int) -> list[int]:
        """List the row numbers of one batch of all processes, counted from 0, in the split."""
        return [int(row) for row in self._order_of(epoch).rows(*self._steps.whole(batch))]

    def place_in(self, batch: int) -> tuple[int, int, int]:
        """Return where the rows of this process start and stop in a batch of all processes, and the size of that."""
        (start, stop), (first, last) = self._steps.bounds(batch), self._steps.whole(batch)
        return start - first, stop - first, last - first

    def state(self, *, epoch: int, batch: int) -> dict[str, Any]:
        """Describe a position as values for JSON: ``batch`` batches of ``epoch`` are done.

        The caller counts the batches that are done, because a thread may have loaded more of them ahead. The same
        state is valid for all processes, and for any number of them.

        Example:
            ``loader.state(epoch=3, batch=120)`` is saved; later, with a loader made the same way,
            ``epoch, batch = loader.restore(state)`` and ``loader.epoch(epoch, first_batch=batch)`` continue.
        """
        return {"epoch": epoch, "batch": batch, **self._identity()}

    def restore(self, state: Mapping[str, Any]) -> tuple[int, int]:
        """Return the epoch and the number of its batches that are done, from a value of ``state``.

        Raises:
            RunError: the state is invalid, or has other data, seed, order or batch size.
        """
        differences = [
            f"{name} was {state.get(name, 'missing')} there and is {value} here"
            for name, value in self._identity().items()
            if state.get(name) != value
        ]
        if differences:
            raise RunError(
                f"a position must be restored where it was saved, but {'; '.join(differences)}; "
                "try the same recipe and prepared folder, or start anew"
            )
        epoch, batch = state.get("epoch"), state.get("batch")
        if not (isinstance(epoch, int) and isinstance(batch, int) and epoch >= 0 and 0 <= batch <= len(self)):
            raise RunError(
                f"a position must be an epoch and 0 to {len(self)} batches done, but {epoch} and {batch} were given; "
                "start anew"
            )
        return epoch, batch

    def _identity(self) -> dict[str, Any]:
        """Return everything that the sequence of batches of all processes depends on."""
        return {
            "data": self._split.fingerprint,
            "split": self._split.name,
            "num_rows": self.num_rows,
            "batch_size": self._steps.batch_size,
            "seed": self._seed,
            "order": None if self._order is None else self._order.model_dump(mode="json"),
            **({} if self._groups is None else {"whole_groups": True}),
            **({} if self._thinned is None else {"thinned": self._thinned.identity()}),
        }

    def _batches_per_pass(self) -> int:
        rows = min(ROWS_PER_PASS, PASS_BYTES // self._split.shards[0].row_bytes)
        return max(1, rows // self._steps.batch_size)

    def _order_of(self, epoch: int) -> RowOrder:
        order: RowOrder = StoredOrder()
        if self._groups is not None:
            return self._groups.order(seed=self._seed, epoch=epoch)
        if self._order is not None:
            order = epoch_order(self._order, self.num_rows, seed=self._seed, epoch=epoch)
        return order if self._thinned is None else SelectedRows(order, self._thinned.rows(epoch))


def _batch(columns: Columns) -> Batch:
    tensors: dict[str, Any] = {name: torch.from_numpy(values) for name, values in columns.items()}
    return Batch(**({"labels": None, "group": None} | tensors))
