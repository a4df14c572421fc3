"""A tower for each task: its representation -> its logit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.init import xavier_normal_slices_
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.sizes import PositiveInt


class TaskTowers(nn.Module):
    """Linear -> ReLU for each hidden width, then Linear, with weights of its own for each task.

    Args:
        num_tasks: number of tasks.
        in_dim: width of a representation.
        hidden_dims: hidden widths; without any a tower is one linear map.

    Example:
        >>> TaskTowers(num_tasks=2, in_dim=4, hidden_dims=[8])(torch.randn(3, 2, 4)).shape
        torch.Size([3, 2])
    """

    def __init__(self, *, num_tasks: int, in_dim: int, hidden_dims: Sequence[PositiveInt] = ()) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            PerTokenLinear(num_tokens=num_tasks, in_dim=width, out_dims=[next_width])
            for width, next_width in pairwise([in_dim, *hidden_dims])
        )
        self.weight = nn.Parameter(torch.empty(num_tasks, [in_dim, *hidden_dims][-1], 1))
        self.bias = nn.Parameter(torch.zeros(num_tasks))
        xavier_normal_slices_(self.weight, [1])

    def forward(self, x: Float[Tensor, "batch task in_dim"]) -> Float[Tensor, "batch task"]:
        """Compute the logit of each task from its representation."""
        for layer in self.hidden:
            x = relu(layer(x))
        return (x.transpose(0, 1) @ self.weight).squeeze(2).transpose(0, 1) + self.bias
