"""No mixing, for ablation."""

from jaxtyping import Float
from torch import Tensor, nn


class IdentityMixing(nn.Module):
    """No mixing: X itself, for ablation.

    Example:
        >>> import torch
        >>> IdentityMixing()(torch.ones(1, 1, 2)).tolist()
        [[[1.0, 1.0]]]
    """

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Return the tokens."""
        return tokens
