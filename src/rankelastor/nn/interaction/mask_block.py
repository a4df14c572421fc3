"""The mask block of MaskNet: a hidden layer whose input is multiplied by a mask made from all embeddings."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.nn.activation import ActivationName
from rankelastor.nn.activation import activation as activation_by_name
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.init import init_linear_
from rankelastor.nn.sizes import SizesDoNotFit


class MaskBlock(nn.Module):
    """dropout(activation(LayerNorm(W (mask o h)))), mask = W2 ReLU(W1 embeddings + b1) + b2; W has no bias.

    Args:
        embedded_dim: width of the flattened embeddings.
        in_dim: width of h and of the mask.
        out_dim: width of the output.
        ratio: width of the mask's hidden layer over ``in_dim``.
        activation: name of the activation.
        layer_norm: whether there is a LayerNorm.
        dropout: share of the outputs that are dropped.

    Example:
        >>> import torch
        >>> MaskBlock(embedded_dim=12, in_dim=6, out_dim=5)(torch.randn(2, 12), torch.randn(2, 6)).shape
        torch.Size([2, 5])

    Source: MaskNet, arXiv 2102.07619, equations 3 to 8.
    """

    def __init__(
        self,
        *,
        embedded_dim: int,
        in_dim: int,
        out_dim: int,
        ratio: float = 1.0,
        activation: ActivationName = "relu",
        layer_norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        mask_dim = int(in_dim * ratio)
        if mask_dim < 1:
            raise SizesDoNotFit(f"ratio must leave a mask width of 1 or more, but int({in_dim} * {ratio}) is 0")
        self.aggregate = nn.Linear(embedded_dim, mask_dim)
        self.mask = nn.Linear(mask_dim, in_dim)
        self.linear = nn.Linear(in_dim, out_dim, bias=False)
        self.norm = nn.LayerNorm(out_dim) if layer_norm else nn.Identity()
        self.activation = activation_by_name(activation)
        self.dropout = Dropout(dropout)
        init_linear_(self)

    def forward(
        self, embedded: Float[Tensor, "batch embedded"], hidden: Float[Tensor, "batch in_dim"]
    ) -> Float[Tensor, "batch out_dim"]:
        """Mask the hidden vector and map it."""
        mask: Tensor = self.mask(relu(self.aggregate(embedded)))
        out: Tensor = self.dropout(self.activation(self.norm(self.linear(mask * hidden))))
        return out
