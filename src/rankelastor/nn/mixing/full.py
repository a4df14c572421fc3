"""Full mixing: one linear map of all coordinates of all tokens."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm


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
        """Mix the tokens."""
        mixed: Tensor = self.linear(self.norm(tokens.flatten(1)))
        return tokens + mixed.view_as(tokens)
