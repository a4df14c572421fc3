"""Kronecker mixing: one linear map shared by groups of coordinates."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divide import divided
from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.sizes import PositiveInt


class KroneckerMixing(nn.Module):
    """View flat(X) as (num_groups, TD / num_groups) and apply ONE bias-free linear map to each row, plus residual.

    Args:
        num_tokens: T.
        token_dim: D.
        num_groups: number of rows that share the map; it must divide T * D.
        norm: ``pre`` for X + map(RMSNorm(flat X)), published for Criteo with 26 groups; ``post`` for a LayerNorm over
            each token of X + map(X), published for Avazu with 2 groups.

    Example:
        >>> import torch
        >>> KroneckerMixing(num_tokens=4, token_dim=6, num_groups=2, norm="post")(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: the "fast" mixing of the code published with arXiv 2605.23191.
    """

    def __init__(
        self, *, num_tokens: int, token_dim: int, num_groups: PositiveInt, norm: Literal["pre", "post"] = "pre"
    ) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        group_dim = divided(
            flat_dim, "num_tokens * token_dim", num_groups, "mixing.num_groups", purpose="Kronecker mixing"
        )
        self.num_groups = num_groups
        self.pre_norm = RMSNorm(flat_dim) if norm == "pre" else nn.Identity()
        self.post_norm = nn.LayerNorm(token_dim) if norm == "post" else nn.Identity()
        self.linear = nn.Linear(group_dim, group_dim, bias=False)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens."""
        groups = self.pre_norm(tokens.flatten(1)).unflatten(1, (self.num_groups, -1))
        mixed: Tensor = self.post_norm(tokens + self.linear(groups).reshape(tokens.shape))
        return mixed
