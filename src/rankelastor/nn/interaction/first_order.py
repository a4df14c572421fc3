"""The linear model of the features: one weight per value of a field."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FirstOrder(nn.Module):
    """b + sum_i w_i x_i: the sum over the fields of their weights, which are looked up like embeddings of width 1.

    Args:
        num_tasks: number of tasks, each with weights of its own.
        bias: whether there is a bias b.

    Example:
        >>> FirstOrder(num_tasks=1)(torch.tensor([[[1.0], [2.5]]])).tolist()
        [[3.5]]
    """

    def __init__(self, *, num_tasks: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_tasks)) if bias else None

    def forward(self, weights: Float[Tensor, "batch field task"]) -> Float[Tensor, "batch task"]:
        """Add the weights of the fields."""
        summed = weights.sum(dim=1)
        return summed if self.bias is None else summed + self.bias


def split_first_order(
    fields: Float[Tensor, "batch field width"], *, embedding_dim: int
) -> tuple[Float[Tensor, "batch field embedding_dim"], Float[Tensor, "batch field task"]]:
    """Cut rows of a table into embeddings, the first ``embedding_dim`` columns, and weights of first order, the others.

    Example:
        >>> embeddings, weights = split_first_order(torch.ones(2, 3, 5), embedding_dim=4)
        >>> embeddings.shape, weights.shape
        (torch.Size([2, 3, 4]), torch.Size([2, 3, 1]))
    """
    return fields[..., :embedding_dim], fields[..., embedding_dim:]
