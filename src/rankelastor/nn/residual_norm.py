"""Residuals with a norm before the layer, or after the sum."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.norm import RMSNorm


class PreNormResidual(nn.Module):
    """x + layer(RMSNorm(x)), the norm over the last axis.

    Args:
        layer: maps (batch, token, dim) to the same shape.
        dim: width of the last axis.

    Example:
        >>> import torch
        >>> PreNormResidual(torch.nn.Identity(), dim=2)(torch.full((1, 1, 2), 7.0)).tolist()
        [[[8.0, 8.0]]]
    """

    def __init__(self, layer: nn.Module, *, dim: int) -> None:
        super().__init__()
        self.norm = RMSNorm(dim)
        self.layer = layer

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Add the layer's output for the normalised tokens."""
        changed: Tensor = self.layer(self.norm(tokens))
        return tokens + changed


class PostNormResidual(nn.Module):
    """norm(x + layer(x)).

    Args:
        layer: maps (batch, token, dim) to the same shape.
        norm: a norm over the last axis.

    Example:
        >>> import torch
        >>> PostNormResidual(torch.nn.Identity(), RMSNorm(2))(torch.full((1, 1, 2), 7.0)).tolist()
        [[[1.0, 1.0]]]
    """

    def __init__(self, layer: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.norm = norm

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Add the layer's output, then normalise."""
        out: Tensor = self.norm(tokens + self.layer(tokens))
        return out
