"""Cut tokens into heads and put them together again: the mixing of TokenMixer-Large and of RankUp."""

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.mixing.split import swap_parts
from rankelastor.nn.residual_norm import PreNormResidual


def split_heads(tokens: Float[Tensor, "batch token dim"], num_heads: int) -> Float[Tensor, "batch head width"]:
    """Collect part h of every token in row h, for each of ``num_heads`` equal parts: rows of width T * D / H.

    Example:
        >>> import torch
        >>> split_heads(torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]), 2).tolist()
        [[[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]]
    """
    heads: Tensor = tokens.unflatten(2, (num_heads, -1)).transpose(1, 2).flatten(2)
    return heads


def revert_heads(heads: Float[Tensor, "batch head width"], num_tokens: int) -> Float[Tensor, "batch token dim"]:
    """Give every token its parts back: the exact inverse of ``split_heads``.

    Example:
        >>> import torch
        >>> revert_heads(torch.tensor([[[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]]), 3).tolist()
        [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]
    """
    tokens: Tensor = heads.unflatten(2, (num_tokens, -1)).transpose(1, 2).flatten(2)
    return tokens


class RevertedHeadMixing(nn.Module):
    """revert(ffn(RMSNorm(H)) + H), where H = split(X) are the heads; the tokens' own places are restored.

    Args:
        num_tokens: T.
        token_dim: D.
        num_heads: H; it must divide D.
        ffn: maps heads (batch, H, T * D / H) to the same shape; each head has weights of its own.

    Example:
        >>> import torch
        >>> from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
        >>> ffn = PerTokenSwiGlu(num_tokens=2, token_dim=6, hidden_dim=5)
        >>> RevertedHeadMixing(num_tokens=3, token_dim=4, num_heads=2, ffn=ffn)(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 4])

    Source: TokenMixer-Large, arXiv 2602.06563 (mixing and reverting).
    """

    def __init__(self, *, num_tokens: int, token_dim: int, num_heads: int, ffn: nn.Module) -> None:
        super().__init__()
        head_dim = check_divides(token_dim, "token_dim", num_heads, "num_heads", purpose="splitting tokens into heads")
        self.num_tokens = num_tokens
        self.num_heads = num_heads
        self.between = PreNormResidual(ffn, dim=num_tokens * head_dim)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens in heads and put the heads together again."""
        return revert_heads(self.between(split_heads(tokens, self.num_heads)), self.num_tokens)


class SwappedParts(nn.Module):
    """Token i takes part i of every token, nothing else: split mixing without residual and norm.

    Args:
        num_tokens: T.
        token_dim: D; T must divide it.

    Example:
        >>> import torch
        >>> SwappedParts(num_tokens=2, token_dim=2)(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
        [[[1.0, 3.0], [2.0, 4.0]]]
    """

    def __init__(self, *, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        check_divides(token_dim, "token_dim", num_tokens, "num_tokens", purpose="split mixing")

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Swap the parts."""
        return swap_parts(tokens)
