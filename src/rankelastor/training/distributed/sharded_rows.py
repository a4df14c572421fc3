"""A step whose embedding rows lie in several processes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rankelastor.execution.slices import BatchGradient
from rankelastor.sharding.tables import FoundRows, ShardedTables
from rankelastor.training.distributed.gradients import SharedGradient


class ShardedRows:
    """The part of a step that concerns embedding rows which lie in several processes.

    A process looks up each row of its share of the batch once, computes the gradient of its share with them, and sends
    the gradients of rows to where the rows lie, which updates them. Dense gradients are summed as for replicated rows.

    Args:
        tables: the rows.
        exchange: sums of dense gradients over the processes.
    """

    def __init__(self, tables: ShardedTables, exchange: SharedGradient) -> None:
        self._tables = tables
        self._exchange = exchange

    @property
    def learning_rate(self) -> float:
        """Learning rate of the rows."""
        return self._tables.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        if learning_rate != self._tables.learning_rate:
            self._tables.learning_rate = learning_rate

    def look_up(self, rows: Tensor) -> FoundRows:
        """Look up the rows of this process's share."""
        return self._tables.look_up(rows)

    def share(self, own: BatchGradient, found: FoundRows) -> SharedBatchGradient:
        """Compute the gradient of the batch: dense parameters' of all processes, rows' of this one.

        Args:
            own: the gradient of this process's share.
            found: the rows of that share.
        """
        assert own.found is not None, "embedding rows are trained"
        rows = found.sum(own.found)
        shared, squares = self._exchange.end_dense(own, torch.linalg.vector_norm(rows).double().square())
        return SharedBatchGradient(replace(shared, found=None), rows, squares)


class SharedBatchGradient:
    """The gradient of a batch whose rows lie in several processes.

    Attributes:
        dense: loss and gradients of dense parameters, of the whole batch.
        rows: gradients of the rows that this process looked up.
        row_squares: the sum over processes of the squared norms of ``rows``: finite if all of them are. It is not the
            squared norm of the whole gradient, in which the parts of a row from several processes are summed first.
    """

    def __init__(self, dense: BatchGradient, rows: Tensor, row_squares: float) -> None:
        self.dense = dense
        self.rows = rows
        self.row_squares = row_squares
