"""Binary cross-entropy over examples and tasks."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rankelastor.schema import Batch


class BinaryCrossEntropy:
    """Mean binary cross-entropy in nats, over examples by their weight and over tasks.

    A batch may come in slices: ``total`` is taken once for the whole batch, and the losses of its slices add up to that
    of the batch.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[1.0], [0.0]])
        >>> batch = Batch(
        ...     categorical=torch.ones(2, 1, dtype=torch.int32), numeric=torch.zeros(2, 0), labels=labels, group=None
        ... )
        >>> objective = BinaryCrossEntropy()
        >>> round(float(objective(torch.zeros(2, 1), batch, total=objective.total(batch))), 6)
        0.693147
    """

    def total(self, batch: Batch) -> Tensor | float:
        """Add up the weights of the examples; each counts 1 where the batch has none."""
        return float(batch.num_examples) if batch.weight is None else batch.weight.sum()

    def __call__(self, logits: Float[Tensor, "batch task"], batch: Batch, *, total: Tensor | float) -> Tensor:
        """Compute the share of these examples in the loss of a batch of this total weight."""
        assert batch.labels is not None, "training needs labels"
        weight = None if batch.weight is None else batch.weight.unsqueeze(1)
        summed = binary_cross_entropy_with_logits(logits.float(), batch.labels, weight=weight, reduction="sum")
        return summed / (total * logits.shape[1])
