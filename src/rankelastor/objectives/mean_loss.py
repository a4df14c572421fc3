"""The mean loss over the batches of an epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rankelastor.schema import Batch


class MeanLoss:
    """Average the losses of batches by the total weight of their examples, in float64.

    The sums stay on the device of the losses: only ``value`` waits for it.

    Args:
        total: adds up the weights of the examples of a batch, see ``BinaryCrossEntropy.total``.

    Example:
        >>> from rankelastor.objectives.binary_cross_entropy import BinaryCrossEntropy
        >>> ids = torch.ones(3, 1, dtype=torch.int32)
        >>> batch = Batch(categorical=ids, numeric=torch.zeros(3, 0), labels=torch.zeros(3, 1), group=None)
        >>> losses = MeanLoss(BinaryCrossEntropy().total)
        >>> losses.add(torch.tensor(1.0), batch)
        >>> losses.add(torch.tensor(5.0), next(batch.split(1)))
        >>> losses.value()
        2.0
    """

    def __init__(self, total: Callable[[Batch], Tensor | float]) -> None:
        self._total_of = total
        self._loss: Tensor | float = 0.0
        self._total: Tensor | float = 0.0

    def add(self, loss: Float[Tensor, ""], batch: Batch) -> None:
        """Add the mean loss of a batch."""
        total = self._total_of(batch)
        total = total.double() if isinstance(total, Tensor) else total
        self._loss = self._loss + loss.double() * total
        self._total = self._total + total

    def value(self) -> float:
        """Compute the mean over all examples of the batches added; nan without one."""
        return float(torch.as_tensor(self._loss, dtype=torch.float64) / self._total) if self._total else float("nan")
