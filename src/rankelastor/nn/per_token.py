"""Layers in which every token has its own weights, batched in one tensor.

Inputs and outputs have the shape (batch, token, dim). The products run token by token over the whole batch, so results
are token-major in memory; a chain of these layers never copies to change the order.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.init import xavier_normal_slices_
from rankelastor.nn.norm import rms_norm


class PerTokenLinear(nn.Module):
    """y_t = x_t W_t + b_t for every token t: (batch, token, in) -> (batch, token, out), one batched product.

    Args:
        num_tokens: number of tokens, each with its own weights.
        in_dim: width of the input.
        out_dims: widths of one or more maps of the same input that lie side by side in the result.

    Example:
        >>> PerTokenLinear(num_tokens=3, in_dim=4, out_dims=[5, 2])(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 7])
    """

    def __init__(self, *, num_tokens: int, in_dim: int, out_dims: Sequence[int]) -> None:
        super().__init__()
        self.out_dims = tuple(out_dims)
        self.weight = nn.Parameter(torch.empty(num_tokens, in_dim, sum(out_dims)))
        self.bias = nn.Parameter(torch.zeros(num_tokens, sum(out_dims)))
        xavier_normal_slices_(self.weight, self.out_dims)

    def forward(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Map each token with its own weights."""
        mapped = torch.bmm(tokens.transpose(0, 1), self.weight)
        return (mapped + self.bias.unsqueeze(1).to(mapped.dtype)).transpose(0, 1)


class PerTokenMap(PerTokenLinear):
    """y_t = x_t W_t for every token t, without a bias.

    Args:
        num_tokens: number of tokens, each with its own weights.
        in_dim: width of the input.
        out_dims: widths of one or more maps of the same input that lie side by side in the result.

    Example:
        >>> [name for name, _ in PerTokenMap(num_tokens=3, in_dim=4, out_dims=[5]).named_parameters()]
        ['weight']
    """

    def __init__(self, *, num_tokens: int, in_dim: int, out_dims: Sequence[int]) -> None:
        super().__init__(num_tokens=num_tokens, in_dim=in_dim, out_dims=out_dims)
        self.register_parameter("bias", None)

    def forward(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Map each token with its own weights."""
        return torch.bmm(tokens.transpose(0, 1), self.weight).transpose(0, 1)


def per_token_map(*, num_tokens: int, in_dim: int, out_dims: Sequence[int], bias: bool) -> PerTokenLinear:
    """Make a linear map per token, with or without a bias.

    Example:
        >>> per_token_map(num_tokens=3, in_dim=4, out_dims=[5], bias=False)
        PerTokenMap()
    """
    kind = PerTokenLinear if bias else PerTokenMap
    return kind(num_tokens=num_tokens, in_dim=in_dim, out_dims=out_dims)


class PerTokenRMSNorm(nn.Module):
    """RMSNorm over the last axis with a separate gain for every token.

    Example:
        >>> PerTokenRMSNorm(num_tokens=3, dim=4)(torch.full((1, 3, 4), 7.0)).round().unique().tolist()
        [1.0]
    """

    def __init__(self, *, num_tokens: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_tokens, dim))

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Normalise each token."""
        return rms_norm(tokens, self.weight)
