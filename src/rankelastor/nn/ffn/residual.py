"""A per-token FFN with its residual."""

from jaxtyping import Float
from torch import Tensor, nn


class ResidualFfn(nn.Module):
    """x + ffn(x).

    Example:
        >>> import torch
        >>> ResidualFfn(torch.nn.Identity())(torch.ones(1, 1, 2)).tolist()
        [[[2.0, 2.0]]]
    """

    def __init__(self, ffn: nn.Module) -> None:
        super().__init__()
        self.ffn = ffn

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Add the FFN's output to the tokens."""
        changed: Tensor = self.ffn(tokens)
        return tokens + changed
