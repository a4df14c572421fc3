"""Squeeze and excitation of fields: each field's embedding is scaled by its importance in the example."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import PositiveInt


class SqueezeExcitation(nn.Module):
    """E scaled field by field by a = ReLU(W2 ReLU(W1 z)), where z is the mean of each field's embedding; no biases.

    Args:
        num_fields: number of fields.
        reduction: number of fields over the inner width, which is at least 1.

    Example:
        >>> import torch
        >>> SqueezeExcitation(num_fields=6)(torch.randn(2, 6, 4)).shape
        torch.Size([2, 6, 4])

    Source: FiBiNET, arXiv 1905.09433, section 3.2.
    """

    def __init__(self, *, num_fields: int, reduction: PositiveInt = 3) -> None:
        super().__init__()
        inner_dim = max(1, num_fields // reduction)
        self.squeeze = nn.Linear(num_fields, inner_dim, bias=False)
        self.excite = nn.Linear(inner_dim, num_fields, bias=False)
        init_linear_(self)

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch field dim"]:
        """Scale the fields."""
        importance = relu(self.excite(relu(self.squeeze(fields.mean(dim=2)))))
        return fields * importance.unsqueeze(2)
