"""The gradient of a batch of which each process has a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from rankelastor.collectives.processes import Processes
from rankelastor.collectives.world import World
from rankelastor.execution.slices import BatchGradient
from rankelastor.training.distributed.stopping_together import SharedInterruption


class GradientExchange(Protocol):
    """What a step does with other processes: once before the gradient of its share is computed, and once after."""

    @property
    def world(self) -> World:
        """The number of processes, and the rank of this one."""

    def begin(self, rows: Tensor) -> Tensor:
        """Return the rows of the table that the step touches, of all processes, for those that this one looks up."""

    def end(self, gradient: BatchGradient) -> BatchGradient:
        """Return the gradient of the whole batch for that of this process's share."""

    def end_in_place(self, parameters: Sequence[nn.Parameter], table: nn.Parameter, loss: Tensor) -> None:
        """Replace loss and ``grad`` of this process's share by those of the whole batch, on a GPU."""


class OwnGradient:
    """The exchange of a process that trains alone: nothing."""

    world = World()

    def begin(self, rows: Tensor) -> Tensor:
        """Return the rows as they are."""
        return rows.flatten()

    def end(self, gradient: BatchGradient) -> BatchGradient:
        """Return the gradient as it is."""
        return gradient

    def end_in_place(self, parameters: Sequence[nn.Parameter], table: nn.Parameter, loss: Tensor) -> None:
        """Leave all as it is."""


class SharedGradient:
    """The exchange of several processes, after which all of them take the same step.

    Gradients of dense parameters are summed. Of the embedding table each process sends the rows that its share looks
    up, once each, with the sums of their gradients. All rows of all processes, by rank, then stand for look-ups of one
    process: they are caught up together before the step, and summed by row in the order of ranks.

    Args:
        processes: the processes.
        interruption: requests to stop, which travel with the gradients.
    """

    def __init__(self, processes: Processes, interruption: SharedInterruption | None = None) -> None:
        self._processes = processes
        self._interruption = interruption
        self.world = processes.world
        self._own = self._position = self._all = torch.empty(0, dtype=torch.int64)

    def begin(self, rows: Tensor) -> Tensor:
        """Collect the rows that any process looks up."""
        self._own, self._position = torch.unique(rows.flatten().long(), return_inverse=True)
        self._all = torch.cat(self._processes.rows(self._own, kind="rows"))
        return self._all

    def end(self, gradient: BatchGradient) -> BatchGradient:
        """Sum loss and dense gradients, and collect those of rows."""
        loss = gradient.loss.detach().clone()
        self._sum([*(each for each in gradient.parameters if each is not None), loss])
        found = None if gradient.found is None else self._collect(self._sums(gradient.found))
        return replace(gradient, loss=loss, rows=self._all, found=found)

    def end_dense(self, gradient: BatchGradient, own: Tensor) -> tuple[BatchGradient, float]:
        """Sum loss, dense gradients and one number of each process, and leave gradients of rows as they are."""
        loss, number = gradient.loss.detach().clone(), own.clone()
        self._sum([*(each for each in gradient.parameters if each is not None), loss, number])
        return replace(gradient, loss=loss), float(number)

    @torch.no_grad()
    def end_in_place(self, parameters: Sequence[nn.Parameter], table: nn.Parameter, loss: Tensor) -> None:
        """Sum loss and dense gradients, and add up those of the rows that any process looked up."""
        self._sum([*(each.grad for each in parameters if each.grad is not None), loss])
        if table.grad is not None:
            values = self._collect(table.grad[self._own])
            table.grad.zero_()
            table.grad.index_add_(0, self._all, values)

    def _sum(self, tensors: list[Tensor]) -> None:
        if self._interruption is None:
            self._processes.sum(tensors, kind="dense")
            return
        votes = torch.tensor([float(self._interruption.is_wanted)], dtype=torch.float32)
        self._processes.sum([*tensors, votes], kind="dense")
        self._interruption.hear(float(votes))

    def _sums(self, lookup_gradients: Tensor) -> Tensor:
        """Sum the gradients of this process's look-ups by row."""
        sums: Tensor = torch.ops.aten.embedding_dense_backward(
            lookup_gradients,
            self._position,
            len(self._own),
            -1,  # no padding: row 0 of these is no row of the table
            False,  # noqa: FBT003 - an argument of PyTorch
        )
        return sums

    def _collect(self, gradients: Tensor) -> Tensor:
        return torch.cat(self._processes.rows(gradients, kind="row gradients"))
