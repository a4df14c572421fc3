"""Low-rank mixing: full mixing with a factored matrix."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.sizes import PositiveInt, SizesDoNotFit


class LowRankMixing(nn.Module):
    """X + unflatten(U V^T RMSNorm(flat(X)) + b) with U and V (TD x rank): full mixing through a narrow middle.

    2 * TD * rank weights beside the bias, and as multiply-adds per example, where full mixing takes (TD)^2:
    cheaper below rank TD / 2.

    Args:
        num_tokens: T.
        token_dim: D.
        rank: of W = U V^T, at most T * D.

    Example:
        >>> import torch
        >>> LowRankMixing(num_tokens=4, token_dim=6, rank=3)(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: full mixing of RankElastor, arXiv 2605.23191, with a factored W; no published settings use it.
    """

    def __init__(self, *, num_tokens: int, token_dim: int, rank: PositiveInt) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        if rank > flat_dim:
            raise SizesDoNotFit(
                f"mixing.rank must be at most num_tokens * token_dim = {flat_dim} for low-rank mixing, but {rank} was "
                f"given; try {max(1, flat_dim // 8)}, or mixing.kind=full, which costs less from {flat_dim // 2} on"
            )
        self.norm = RMSNorm(flat_dim)
        self.down = nn.Linear(flat_dim, rank, bias=False)
        self.up = nn.Linear(rank, flat_dim)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens."""
        mixed: Tensor = self.up(self.down(self.norm(tokens.flatten(1))))
        return tokens + mixed.view_as(tokens)
