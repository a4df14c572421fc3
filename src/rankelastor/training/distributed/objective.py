"""The objective of a batch of which each process has a share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rankelastor.collectives.processes import Processes
from rankelastor.execution.slices import Loss
from rankelastor.objectives.binary_cross_entropy import exact
from rankelastor.schema import Batch


class SharedObjective:
    """An objective whose total is that of all processes, so that their losses add up to the loss of the batch.

    An objective that couples examples gets the logits of all processes. Each computes the whole loss, of which it
    differentiates by its own logits alone, and counts its part of the value.

    Args:
        objective: the objective of one process.
        processes: the processes.
    """

    def __init__(self, objective: Loss, processes: Processes) -> None:
        self._objective = objective
        self._processes = processes
        self.couples_examples = bool(getattr(objective, "couples_examples", False))
        self._known: tuple[Batch, Tensor | float] | None = None

    def total(self, batch: Batch) -> Tensor | float:
        """Compute the total weight of the examples of all processes, which is asked of them once a batch."""
        if self._known is None or self._known[0] is not batch:
            own = self._objective.total(batch)
            total = torch.as_tensor(own, dtype=torch.float64).clone()
            self._processes.sum([total], kind="totals")
            self._known = batch, total.to(own.dtype) if isinstance(own, Tensor) else float(total)
        return self._known[1]

    def __call__(
        self, logits: Float[Tensor, "batch task *part"], batch: Batch, *, total: Tensor | float
    ) -> Float[Tensor, ""]:
        """Compute the share of these examples in the loss of the batch of all processes."""
        if not self.couples_examples:
            return self._objective(logits, batch, total=total)
        own = exact(logits)
        every = self._processes.rows(own.detach(), kind="logits")
        every[self._processes.world.rank] = own
        loss = self._objective(torch.cat(every), self._whole(batch), total=total)
        return loss + (loss / self._processes.world.size - loss).detach()

    def _whole(self, batch: Batch) -> Batch:
        """Collect labels, weights and groups of all processes; features are left out."""
        labels = self._joined(batch.labels)
        assert labels is not None, "training needs labels"
        return Batch(
            categorical=labels.new_zeros(len(labels), 0, dtype=torch.int32),
            numeric=labels.new_zeros(len(labels), 0),
            labels=labels,
            weight=self._joined(batch.weight),
            group=self._joined(batch.group),
        )

    def _joined(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else torch.cat(self._processes.rows(values, kind="labels"))
