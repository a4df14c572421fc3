"""The gates of GLU-improved per-token FFNs: (batch, token, dim) -> (batch, token, dim).

All maps of the input (lifts and skips) are computed by one batched product.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu

from rankelastor.nn.per_token import per_token_map


class PublishedGate(nn.Module):
    """y = ((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x, with bias unless ``bias`` is False; each token has its own maps.

    ``lift`` holds the maps side by side in the order W1 (gate), W2 (value), S2 (skip beside the gate), S1 (residual).

    NOTE[DIFF]: the gate of the paper has no S2; the tables of the paper were made with this one.
    Covered by tests/interop/test_published.py.

    Example:
        >>> PublishedGate(num_tokens=3, dim=4, inner_dim=12)(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 4])

    Source: the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tokens: int, dim: int, inner_dim: int, bias: bool = True) -> None:
        super().__init__()
        self.lift = per_token_map(
            num_tokens=num_tokens, in_dim=dim, out_dims=[inner_dim, inner_dim, inner_dim, dim], bias=bias
        )
        self.reduce = per_token_map(num_tokens=num_tokens, in_dim=inner_dim, out_dims=[dim], bias=bias)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute ((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x for each token."""
        gate, value, gate_skip, residual = torch.split(self.lift(tokens), list(self.lift.out_dims), dim=-1)
        gated: Tensor = self.reduce((gate_skip + gelu(gate)) * value) + residual
        return gated


class UnitExpansionGate(nn.Module):
    """The published gate at expansion 1: y = (S1 x + GELU(W1 x)) * (W2 x) + S1 x, with one S1 for both skips and no W3.

    ``lift`` holds the maps side by side in the order W1 (gate), W2 (value), S1 (skip and residual).

    Example:
        >>> UnitExpansionGate(num_tokens=3, dim=4)(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 4])

    Source: the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tokens: int, dim: int, bias: bool = True) -> None:
        super().__init__()
        self.lift = per_token_map(num_tokens=num_tokens, in_dim=dim, out_dims=[dim, dim, dim], bias=bias)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute (S1 x + GELU(W1 x)) * (W2 x) + S1 x for each token."""
        gate, value, skip = torch.split(self.lift(tokens), list(self.lift.out_dims), dim=-1)
        gated: Tensor = (skip + gelu(gate)) * value + skip
        return gated


class PaperGate(nn.Module):
    """The gate as the paper writes it: y = (GELU(W1 x) * (W2 x)) W3 + Wr x.

    ``lift`` holds the maps side by side in the order W1 (gate), W2 (value), Wr (residual).

    Example:
        >>> PaperGate(num_tokens=3, dim=4, inner_dim=12)(torch.randn(8, 3, 4)).shape
        torch.Size([8, 3, 4])

    Source: RankElastor, arXiv 2605.23191 (GLU-improved P-FFN).
    """

    def __init__(self, *, num_tokens: int, dim: int, inner_dim: int, bias: bool = True) -> None:
        super().__init__()
        self.lift = per_token_map(num_tokens=num_tokens, in_dim=dim, out_dims=[inner_dim, inner_dim, dim], bias=bias)
        self.reduce = per_token_map(num_tokens=num_tokens, in_dim=inner_dim, out_dims=[dim], bias=bias)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Compute (GELU(W1 x) * (W2 x)) W3 + Wr x for each token."""
        gate, value, residual = torch.split(self.lift(tokens), list(self.lift.out_dims), dim=-1)
        gated: Tensor = self.reduce(gelu(gate) * value) + residual
        return gated
