"""Token mixings: (batch, token, dim) -> the same shape; each includes its residual."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divide import divided
from rankelastor.nn.fused_mixing import full_mixing, full_mixing_fits, split_mixing, split_mixing_fits
from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm


def swap_parts(tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
    """Token i takes part i of every token: view (T, T, D/T), swap the first two axes, flatten back.

    A permutation of the coordinates and its own inverse.

    Example:
        >>> import torch
        >>> swap_parts(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
        [[[1.0, 3.0], [2.0, 4.0]]]
    """
    batch, num_tokens, dim = tokens.shape
    return tokens.reshape(batch, num_tokens, num_tokens, dim // num_tokens).transpose(1, 2).flatten(2)


class SplitMixing(nn.Module):
    """LayerNorm(X + swap_parts(X)), parameter-free but for the norm.

    Example:
        >>> import torch
        >>> SplitMixing(num_tokens=4, token_dim=8)(torch.randn(2, 4, 8)).shape
        torch.Size([2, 4, 8])

    Source: RankMixer, arXiv 2507.15551, equation 3.
    """

    def __init__(self, *, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        divided(token_dim, "token_dim", num_tokens, "num_tokens", purpose="split mixing")
        self.norm = nn.LayerNorm(token_dim)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mixed tokens."""
        if split_mixing_fits(tokens, self.norm):
            return split_mixing(tokens, self.norm)
        mixed: Tensor = self.norm(tokens + swap_parts(tokens))
        return mixed


class FullMixing(nn.Module):
    """X + unflatten(W RMSNorm(flat(X)) + b) with W (TD x TD): every coordinate reaches every other.

    NOTE[DIFF]: the paper writes the norm outside, LN((W + I) vec X); the published code, which the paper's tables
    go with, has it inside. Covered by tests/interop/test_published.py.

    Example:
        >>> import torch
        >>> FullMixing(num_tokens=4, token_dim=6)(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: RankElastor, arXiv 2605.23191 (parameterized full mixing) and its published code.
    """

    def __init__(self, *, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        self.norm = RMSNorm(flat_dim)
        self.linear = nn.Linear(flat_dim, flat_dim)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mixed tokens."""
        if full_mixing_fits(tokens, self.norm, self.linear):
            return full_mixing(tokens, self.norm, self.linear)
        mixed: Tensor = self.linear(self.norm(tokens.flatten(1)))
        return tokens + mixed.view_as(tokens)


class LowRankMixing(nn.Module):
    """X + unflatten(U V^T RMSNorm(flat(X)) + b) with U and V (TD x rank): full mixing through a narrow middle.

    2 * TD * rank weights beside the bias, and as many multiply-adds an example, where full mixing takes (TD)^2:
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

    def __init__(self, *, num_tokens: int, token_dim: int, rank: int) -> None:
        super().__init__()
        flat_dim = num_tokens * token_dim
        if rank > flat_dim:
            raise ValueError(
                f"mixing.rank must be at most num_tokens * token_dim = {flat_dim} for low-rank mixing, but {rank} was "
                f"given; try {max(1, flat_dim // 8)}, or mixing.kind=full, which costs less from {flat_dim // 2} on"
            )
        self.norm = RMSNorm(flat_dim)
        self.down = nn.Linear(flat_dim, rank, bias=False)
        self.up = nn.Linear(rank, flat_dim)
        init_linear_(self)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mixed tokens."""
        mixed: Tensor = self.up(self.down(self.norm(tokens.flatten(1))))
        return tokens + mixed.view_as(tokens)


class KroneckerMixing(nn.Module):
    """View flat(X) as (num_groups, TD / num_groups) and apply ONE bias-free linear map to each row, plus residual.

    ``norm="pre"``: X + map(RMSNorm(flat X)), published for Criteo with 26 groups.
    ``norm="post"``: LayerNorm over each token of X + map(X), published for Avazu with 2 groups.

    Example:
        >>> import torch
        >>> KroneckerMixing(num_tokens=4, token_dim=6, num_groups=2, norm="post")(torch.randn(2, 4, 6)).shape
        torch.Size([2, 4, 6])

    Source: the "fast" mixing of the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tokens: int, token_dim: int, num_groups: int, norm: Literal["pre", "post"]) -> None:
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
        """Mixed tokens."""
        groups = self.pre_norm(tokens.flatten(1)).unflatten(1, (self.num_groups, -1))
        mixed: Tensor = self.post_norm(tokens + self.linear(groups).reshape(tokens.shape))
        return mixed


class IdentityMixing(nn.Module):
    """No mixing: tokens pass unchanged. For ablation."""

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """The tokens themselves."""
        return tokens
