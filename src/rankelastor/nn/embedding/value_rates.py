"""A weight for each value, not learned by gradients: what a logistic regression on label rates says of the ids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.schema import Batch


class ValueRates(nn.Module):
    """bias + the sum of the weights of an example's values: ids -> (batch, task).

    Each id feature has a weight for each of its ids, padding included; a sequence counts with the mean weight of its
    elements. The weights are buffers, zero until ``set`` is called: they are fitted before training
    (``baseline/value_rates.py``), and training learns what is left.

    Args:
        num_ids: number of ids of each id feature, padding included: the categorical ones, then the sequences.
        max_lengths: maximum lengths of the sequences, which are the last id features.
        num_tasks: number of tasks.

    Example:
        >>> rates = ValueRates(num_ids=[3, 3], max_lengths=[2], num_tasks=1)
        >>> rates.set(torch.tensor([[0.0], [1.0], [2.0], [0.0], [10.0], [20.0]]), torch.tensor([0.5]))
        >>> batch = Batch(
        ...     categorical=torch.tensor([[1], [2]]),
        ...     numeric=torch.zeros(2, 0),
        ...     labels=None,
        ...     group=None,
        ...     sequence=torch.tensor([[1, 2], [0, 1]]),
        ... )
        >>> rates(batch).tolist()  # .5 + 1 + (10 + 20) / 2, and .5 + 2 + 10
        [[16.5], [12.5]]
    """

    weights: Tensor
    bias: Tensor
    starts: Tensor

    def __init__(self, *, num_ids: Sequence[int], max_lengths: Sequence[int], num_tasks: int) -> None:
        super().__init__()
        self._max_lengths = list(max_lengths)
        widths = [1] * (len(num_ids) - len(max_lengths)) + self._max_lengths
        firsts = accumulate([0, *num_ids])
        starts = [first for first, width in zip(firsts, widths, strict=False) for _ in range(width)]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.register_buffer("weights", torch.zeros(sum(num_ids), num_tasks))
        self.register_buffer("bias", torch.zeros(num_tasks))

    def set(self, weights: Float[Tensor, "value task"], bias: Float[Tensor, " task"]) -> None:
        """Set the weights, feature by feature and id by id, and the bias."""
        self.weights.copy_(weights)
        self.bias.copy_(bias)

    def forward(self, batch: Batch) -> Float[Tensor, "batch task"]:
        """Sum the weights of each example."""
        num_categorical = batch.categorical.shape[1]
        found = functional.embedding(batch.categorical + self.starts[:num_categorical], self.weights)
        total = self.bias + found.sum(dim=1)
        if batch.sequence is None:
            return total
        elements = functional.embedding(batch.sequence + self.starts[num_categorical:], self.weights)
        held = (batch.sequence != 0).unsqueeze(-1).to(elements.dtype)
        for weights, mask in zip(elements.split(self._max_lengths, 1), held.split(self._max_lengths, 1), strict=True):
            total = total + (weights * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return total
