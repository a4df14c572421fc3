"""The per-token MLP of RankMixer."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.activation import ActivationName
from rankelastor.nn.activation import activation as activation_by_name
from rankelastor.nn.dropout import PerTokenDropout
from rankelastor.nn.per_token import PerTokenLinear, PerTokenRMSNorm
from rankelastor.nn.sizes import DropoutRate, HiddenDims


class PerTokenMlpLayer(nn.Module):
    """One hidden width of a per-token MLP: dropout(activation([RMSNorm](W x + b))).

    Example:
        >>> import torch
        >>> PerTokenMlpLayer(num_tokens=3, in_dim=4, out_dim=8, activation="gelu", norm=False, dropout=0.0)(
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
        activation: ActivationName,
        norm: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.linear = PerTokenLinear(num_tokens=num_tokens, in_dim=in_dim, out_dims=[out_dim])
        self.norm = PerTokenRMSNorm(num_tokens=num_tokens, dim=out_dim) if norm else nn.Identity()
        self.activation = activation_by_name(activation)
        self.dropout = PerTokenDropout(dropout)

    def forward(self, tokens: Float[Tensor, "batch token in_dim"]) -> Float[Tensor, "batch token out_dim"]:
        """Apply the layer to each token."""
        hidden: Tensor = self.dropout(self.activation(self.norm(self.linear(tokens))))
        return hidden


class PerTokenMlp(nn.Module):
    """Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear to ``token_dim``.

    Args:
        num_tokens: T; each token has its own weights.
        token_dim: D.
        hidden_dims: the hidden widths, from the first layer to the last.
        activation: the activation function; ``gelu`` is the exact form, with erf.
        norm: whether an RMSNorm precedes each activation.
        dropout: dropout rate after each activation, the share of values that are set to zero.

    Example:
        >>> import torch
        >>> PerTokenMlp(num_tokens=3, token_dim=4, hidden_dims=[8, 8])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Source: RankMixer, arXiv 2507.15551 (per-token FFN).
    """

    def __init__(
        self,
        *,
        num_tokens: int,
        token_dim: int,
        hidden_dims: HiddenDims,
        activation: ActivationName = "gelu",
        norm: bool = False,
        dropout: DropoutRate = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            PerTokenMlpLayer(
                num_tokens=num_tokens,
                in_dim=width,
                out_dim=next_width,
                activation=activation,
                norm=norm,
                dropout=dropout,
            )
            for width, next_width in pairwise([token_dim, *hidden_dims])
        )
        self.out = PerTokenLinear(num_tokens=num_tokens, in_dim=[token_dim, *hidden_dims][-1], out_dims=[token_dim])

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Apply the MLP to each token, without a residual."""
        for layer in self.layers:
            tokens = layer(tokens)
        out: Tensor = self.out(tokens)
        return out
