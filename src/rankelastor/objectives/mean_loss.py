"""The mean loss over the batches of an epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rankelastor.schema import Batch


class MeanLoss:
    """The mean loss of batches, weighted by the total weight of their examples, in float64.

    The sums stay on the device of the losses; only ``value`` synchronises with it.

    Args:
        total: computes the total weight of the examples of a batch, see ``BinaryCrossEntropy.total``.

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
        self._compute_total = total
        self._loss: Tensor | float = 0.0
        self._total: Tensor | float = 0.0

    def add(self, loss: Float[Tensor, ""], batch: Batch) -> None:
        """Add the mean loss of a batch."""
        total = self._compute_total(batch)
        total = total.double() if isinstance(total, Tensor) else total
        self._loss = self._loss + loss.double() * total
        self._total = self._total + total

    def value(self) -> float:
        """Compute the mean over the examples of all batches added; nan without examples."""
        return float(torch.as_tensor(self._loss, dtype=torch.float64) / self._total) if self._total else float("nan")

    def state(self) -> tuple[float, float]:
        """Return the sums so far: of the losses, and of the weights."""
        return float(self._loss), float(self._total)

    def restore(self, loss: float, total: float) -> None:
        """Go on from the sums that ``state`` gave."""
        self._loss, self._total = loss, total
