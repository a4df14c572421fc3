"""The per-token SwiGLU of TokenMixer-Large, UniMixer and RankUp."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.sizes import PositiveFloat, PositiveInt


class PerTokenSwiGlu(nn.Module):
    """Wd (Swish(Wg x + bg) o (Wu x + bu)) + bd, where Swish(z) = z sigmoid(z); every token has its own weights.

    Args:
        num_tokens: T; each token has its own weights.
        token_dim: D.
        hidden_dim: width between the maps.
        down_scale: factor of the initial values of Wd, which are Xavier normal.

    Example:
        >>> PerTokenSwiGlu(num_tokens=3, token_dim=4, hidden_dim=6)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: TokenMixer-Large, arXiv 2602.06563 (pertoken SwiGLU).
    """

    def __init__(
        self, *, num_tokens: int, token_dim: int, hidden_dim: PositiveInt, down_scale: PositiveFloat = 1.0
    ) -> None:
        super().__init__()
        self.up = PerTokenLinear(num_tokens=num_tokens, in_dim=token_dim, out_dims=[hidden_dim, hidden_dim])
        self.down = PerTokenLinear(num_tokens=num_tokens, in_dim=hidden_dim, out_dims=[token_dim])
        with torch.no_grad():
            self.down.weight.mul_(down_scale)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the SwiGLU to each token, without a residual."""
        gate, up = self.up(tokens).chunk(2, dim=2)
        out: Tensor = self.down(silu(gate) * up)
        return out
