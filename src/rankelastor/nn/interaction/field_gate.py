"""The field gate of FinalNet: every coordinate of a field is scaled by a linear map over the fields."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FieldGate(nn.Module):
    """concat(E, E o G) over the fields, where G^T = E^T W + b maps across the fields for each coordinate.

    At the start W is 0 and b is 1, so that G is 1 everywhere.

    Args:
        num_fields: number of fields.

    Example:
        >>> FieldGate(num_fields=2)(torch.tensor([[[3.0], [5.0]]])).tolist()
        [[[3.0], [5.0], [3.0], [5.0]]]

    Source: FinalNet (Zhu et al., SIGIR 2023), feature gating of its published code.
    """

    def __init__(self, *, num_fields: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_fields, num_fields)
        nn.init.zeros_(self.linear.weight)
        nn.init.ones_(self.linear.bias)

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch twice dim"]:
        """Gate the fields, and put the result behind them."""
        gates = self.linear(fields.transpose(1, 2)).transpose(1, 2)
        return torch.cat([fields, fields * gates], dim=1)
