"""Split mixing: parameter-free, each token takes a part of every token."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divide import divided


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
        """Mix the tokens."""
        mixed: Tensor = self.norm(tokens + swap_parts(tokens))
        return mixed
