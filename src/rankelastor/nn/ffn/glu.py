"""The GLU-improved per-token FFN of RankElastor."""

from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.ffn.gate import PaperGate, PublishedGate, UnitExpansionGate
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm, per_token_map
from rankelastor.nn.sizes import DropoutRate, HiddenDims, PositiveFloat, SizesDoNotFit

GateName = Literal["published", "paper"]


class PerTokenGluLayer(nn.Module):
    """One hidden width of a GLU FFN: dropout(widen(gate([RMSNorm](x)))).

    ``widen`` is a linear map where ``out_dim`` differs from ``in_dim``, else the identity.

    Example:
        >>> import torch
        >>> PerTokenGluLayer(num_tokens=3, in_dim=4, out_dim=8, expansion=3.0, gate="paper", norm=True, dropout=0.0)(
        ...     torch.randn(2, 3, 4)
        ... ).shape
        torch.Size([2, 3, 8])
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        in_dim: int,
        out_dim: int,
        expansion: float,
        gate: GateName,
        norm: bool,
        dropout: float,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.norm = PerTokenRMSNorm(num_tokens=num_tokens, dim=in_dim) if norm else nn.Identity()
        self.gate = make_gate(gate, num_tokens=num_tokens, dim=in_dim, expansion=expansion, bias=bias)
        self.widen = (
            nn.Identity()
            if out_dim == in_dim
            else per_token_map(num_tokens=num_tokens, in_dim=in_dim, out_dims=[out_dim], bias=bias)
        )
        self.dropout = PerTokenDropout(dropout)

    def forward(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Apply the layer to each token."""
        hidden: Tensor = self.dropout(self.widen(self.gate(self.norm(tokens))))
        return hidden


class PerTokenGlu(nn.Module):
    """[RMSNorm] -> gate -> Linear if the width changes -> dropout for each hidden width, then Linear to ``token_dim``.

    Args:
        num_tokens: T; each token has its own weights.
        token_dim: D.
        hidden_dims: the hidden widths, from the first layer to the last.
        expansion: inner width of a gate over its input width.
        gate: ``published`` is the gate of the published code, ``paper`` that of the paper; the formulas are in
            nn/ffn/gate.py.
        norm: whether an RMSNorm precedes each gate.
        dropout: dropout rate after each hidden width, the share of values that are set to zero.
        bias: whether the maps of the gates and of the widths have a bias; the last map always has one.

    Example:
        >>> import torch
        >>> PerTokenGlu(num_tokens=3, token_dim=4, hidden_dims=[8])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: RankElastor, arXiv 2605.23191 (GLU-improved P-FFN).
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dims: HiddenDims,
        expansion: PositiveFloat = 3.0,
        gate: GateName = "published",
        norm: bool = True,
        dropout: DropoutRate = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            PerTokenGluLayer(
                num_tokens=num_tokens,
                in_dim=width,
                out_dim=next_width,
                expansion=expansion,
                gate=gate,
                norm=norm,
                dropout=dropout,
                bias=bias,
            )
            for width, next_width in pairwise([token_dim, *hidden_dims])
        )
        self.out = PerTokenLinear(num_tokens=num_tokens, in_dim=[token_dim, *hidden_dims][-1], out_dims=[token_dim])

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the FFN to each token, without a residual."""
        for layer in self.layers:
            tokens = layer(tokens)
        out: Tensor = self.out(tokens)
        return out


def make_gate(name: GateName, *, num_tokens: int, dim: int, expansion: float, bias: bool = True) -> nn.Module:
    """Make the gate of this name with an inner width of int(dim * expansion), see ``gate.py``.

    Example:
        >>> type(make_gate("published", num_tokens=3, dim=4, expansion=1.0)).__name__
        'UnitExpansionGate'

    Raises:
        SizesDoNotFit: the inner width is 0.
    """
    inner_dim = int(dim * expansion)
    if inner_dim < 1:
        raise SizesDoNotFit(f"ffn.expansion must leave an inner width of 1 or more, but int({dim} * {expansion}) is 0")
    match name:
        case "published" if expansion == 1:
            return UnitExpansionGate(num_tokens=num_tokens, dim=dim, bias=bias)
        case "published":
            return PublishedGate(num_tokens=num_tokens, dim=dim, inner_dim=inner_dim, bias=bias)
        case "paper":
            return PaperGate(num_tokens=num_tokens, dim=dim, inner_dim=inner_dim, bias=bias)
