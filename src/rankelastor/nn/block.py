"""One block: mixing between tokens, then a per-token FFN."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.ffn.residual import ResidualFfn
from rankelastor.nn.norm import RMSNorm


class Block(nn.Module):
    """n = RMSNorm(mixing(X)); n + FFN(n): the residual is the normalised value. Shape (batch, token, dim) is kept.

    Args:
        mixing: mixing with its residual.
        ffn: per-token FFN without its residual.
        token_dim: D.
        rotation: rotation of the tokens before the mixing, or None.

    Example:
        >>> import torch
        >>> from rankelastor.nn.ffn.mlp import PerTokenMlp
        >>> from rankelastor.nn.mixing.full import FullMixing
        >>> mixing = FullMixing(num_tokens=3, token_dim=4)
        >>> Block(mixing=mixing, ffn=PerTokenMlp(num_tokens=3, token_dim=4, hidden_dims=[8]), token_dim=4)(
        ...     torch.randn(2, 3, 4)
        ... ).shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, *, mixing: nn.Module, ffn: nn.Module, token_dim: int, rotation: nn.Module | None = None) -> None:
        super().__init__()
        self.rotation = rotation
        self.mixing = mixing
        self.norm = RMSNorm(token_dim)
        self.pffn = ResidualFfn(ffn)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens, then apply the FFN to each."""
        if self.rotation is not None:
            tokens = self.rotation(tokens)
        out: Tensor = self.pffn(self.norm(self.mixing(tokens)))
        return out
