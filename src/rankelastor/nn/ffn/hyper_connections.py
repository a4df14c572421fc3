"""GLU-improved per-token FFNs whose gates are joined by manifold-constrained hyper-connections."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.glu import GateName, make_gate
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm, per_token_map
from rankelastor.nn.sizes import DropoutRate, HiddenDims, PositiveFloat, PositiveInt

SINKHORN_ITERATIONS = 20
SINKHORN_EPSILON = 1e-12
INITIAL_SCALE = 0.01


def sinkhorn(
    scores: Float[Tensor, "*batch row column"], *, iterations: int = SINKHORN_ITERATIONS
) -> Float[Tensor, "*batch row column"]:
    """Compute exp(scores), its rows and then its columns divided by their sums, ``iterations`` times in turn.

    Example:
        >>> sinkhorn(torch.zeros(2, 2)).tolist()
        [[0.5, 0.5], [0.5, 0.5]]

    Source: Sinkhorn and Knopp 1967; 20 iterations as in mHC, arXiv 2512.24880.
    """
    matrix = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    for _ in range(iterations):
        matrix = matrix / (matrix.sum(dim=-1, keepdim=True) + SINKHORN_EPSILON)
        matrix = matrix / (matrix.sum(dim=-2, keepdim=True) + SINKHORN_EPSILON)
    return matrix


class HyperConnection(nn.Module):
    """Join a gate to ``num_streams`` streams of every token: h <- res^T h + post o gate(RMSNorm(pre^T h)).

    With a = RMSNorm(flat(h)): alpha = A + s_a tanh(W_a a + b_a) as (stream, 1 + stream), beta = B + s_b (W_b a + b_b).
    ``pre`` = sigmoid(first column of alpha), ``res`` = sinkhorn(the other columns), ``post`` = 2 sigmoid(beta):
    stream n gets post_n times the gate's output. Every token has its own weights.

    Args:
        num_tokens: T.
        dim: width of a stream.
        num_streams: number of streams of a token.
        gate: maps (batch, token, dim) to the same shape.

    Example:
        >>> gate = make_gate("published", num_tokens=3, dim=4, expansion=2.0)
        >>> join = HyperConnection(num_tokens=3, dim=4, num_streams=2, gate=gate)
        >>> join(torch.randn(5, 2, 3, 4)).shape
        torch.Size([5, 2, 3, 4])

    Source: mHC, arXiv 2512.24880, as in the code published with arXiv 2605.23191.
    """

    def __init__(self, *, num_tokens: int, dim: int, num_streams: int, gate: nn.Module) -> None:
        super().__init__()
        flat_dim, num_alphas = num_streams * dim, num_streams * (num_streams + 1)
        self.norm = PerTokenRMSNorm(num_tokens=num_tokens, dim=flat_dim)
        first = torch.eye(num_streams)[:, :1]
        alpha = torch.cat([first, torch.eye(num_streams)], dim=1)
        self.alpha = nn.Parameter(alpha.expand(num_tokens, -1, -1).clone())
        self.beta = nn.Parameter(torch.full((num_tokens, num_streams), 1 / num_streams))
        self.alpha_scale = nn.Parameter(torch.full((num_tokens, 1), INITIAL_SCALE))
        self.beta_scale = nn.Parameter(torch.full((num_tokens, 1), INITIAL_SCALE))
        self.alpha_map = PerTokenLinear(num_tokens=num_tokens, in_dim=flat_dim, out_dims=[num_alphas])
        self.beta_map = PerTokenLinear(num_tokens=num_tokens, in_dim=flat_dim, out_dims=[num_streams])
        self.gate_norm = PerTokenRMSNorm(num_tokens=num_tokens, dim=dim)
        self.gate = gate

    def forward(self, streams: Float[Tensor, "batch stream token dim"]) -> Float[Tensor, "batch stream token dim"]:
        """Update the streams of each token."""
        by_token = streams.transpose(1, 2)
        normed = self.norm(by_token.flatten(2))
        alpha = self.alpha + (self.alpha_scale * self.alpha_map(normed).tanh()).unflatten(2, self.alpha.shape[1:])
        post = 2 * (self.beta + self.beta_scale * self.beta_map(normed)).sigmoid()
        pre, res = alpha[..., 0].sigmoid(), sinkhorn(alpha[..., 1:])
        gated = self.gate(self.gate_norm((pre.unsqueeze(-1) * by_token).sum(2)))
        joined: Tensor = res.transpose(2, 3) @ by_token + post.unsqueeze(-1) * gated.unsqueeze(2)
        return joined.transpose(1, 2)


class HyperGluLayer(nn.Module):
    """One hidden width: dropout(widen(join([RMSNorm](streams)))); ``widen`` is the identity where widths are equal.

    Example:
        >>> layer = HyperGluLayer(
        ...     num_tokens=3, in_dim=4, out_dim=8, num_streams=2, expansion=3.0, norm=True, dropout=0.0, bias=True
        ... )
        >>> layer(torch.randn(5, 2, 3, 4)).shape
        torch.Size([5, 2, 3, 8])
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        in_dim: int,
        out_dim: int,
        num_streams: int,
        expansion: float,
        norm: bool,
        dropout: float,
        bias: bool,
        gate: GateName = "published",
    ) -> None:
        super().__init__()
        self.norm = PerTokenRMSNorm(num_tokens=num_tokens, dim=in_dim) if norm else nn.Identity()
        made = make_gate(gate, num_tokens=num_tokens, dim=in_dim, expansion=expansion, bias=bias)
        self.join = HyperConnection(num_tokens=num_tokens, dim=in_dim, num_streams=num_streams, gate=made)
        self.widen = (
            nn.Identity()
            if out_dim == in_dim
            else per_token_map(num_tokens=num_tokens, in_dim=in_dim, out_dims=[out_dim], bias=bias)
        )
        self.dropout = PerTokenDropout(dropout)

    def forward(self, streams: Float[Tensor, "batch stream token in"]) -> Float[Tensor, "batch stream token out"]:
        """Apply the layer to the streams of each token."""
        num_streams = streams.shape[1]
        joined = self.join(self.norm(streams.flatten(0, 1)).unflatten(0, (-1, num_streams)))
        widened: Tensor = self.dropout(self.widen(joined.flatten(0, 1))).unflatten(0, (-1, num_streams))
        return widened


class HyperConnectedGlu(nn.Module):
    """The GLU FFN on several streams of every token, whose gates are joined by hyper-connections.

    The token is copied into the streams; at the end their mean is mapped to ``token_dim``.

    Args:
        num_tokens: T; each token has its own weights.
        token_dim: D.
        hidden_dims: the hidden widths.
        expansion: inner width of a gate over its input width.
        num_streams: number of streams of a token.
        norm: whether an RMSNorm of the streams precedes each gate, beside the norms of the hyper-connection.
        dropout: rate after each hidden width.
        bias: whether the maps of the gates and of the widths have a bias; the other maps always have one.

    Example:
        >>> HyperConnectedGlu(num_tokens=3, token_dim=4, hidden_dims=[8])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: `swiglu-mhc` of the code published with arXiv 2605.23191; mHC, arXiv 2512.24880.
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dims: HiddenDims,
        expansion: PositiveFloat = 3.0,
        num_streams: PositiveInt = 4,
        norm: bool = True,
        dropout: DropoutRate = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_streams = num_streams
        self.layers = nn.ModuleList(
            HyperGluLayer(
                num_tokens=num_tokens,
                in_dim=width,
                out_dim=next_width,
                num_streams=num_streams,
                expansion=expansion,
                norm=norm,
                dropout=dropout,
                bias=bias,
            )
            for width, next_width in pairwise([token_dim, *hidden_dims])
        )
        self.out = PerTokenLinear(num_tokens=num_tokens, in_dim=hidden_dims[-1], out_dims=[token_dim])

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the FFN to each token, without a residual."""
        streams = tokens.unsqueeze(1).expand(-1, self.num_streams, -1, -1)
        for layer in self.layers:
            streams = layer(streams)
        out: Tensor = self.out(streams.mean(dim=1))
        return out
