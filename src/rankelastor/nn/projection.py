"""A plain MLP over the last axis, from which tokenizers and deep parts of models are made."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.activation import ActivationName
from rankelastor.nn.activation import activation as activation_by_name
from rankelastor.nn.batch_norm import BatchNorm
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.init import init_linear_
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.sizes import DropoutRate, PositiveInt


class ProjectionLayer(nn.Module):
    """One hidden width of a projection: dropout(activation([norm](W x + b))), the norm an RMSNorm or a batch norm.

    Example:
        >>> import torch
        >>> ProjectionLayer(in_dim=6, out_dim=4, activation="relu", norm=True, dropout=0.0)(torch.randn(2, 6)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        *,
        in_dim: int,
        out_dim: int,
        activation: ActivationName,
        norm: bool,
        dropout: float,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim)
        self.norm = RMSNorm(out_dim) if norm else BatchNorm(out_dim) if batch_norm else nn.Identity()
        self.activation = activation_by_name(activation)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Apply the layer over the last axis."""
        hidden: Tensor = self.dropout(self.activation(self.norm(self.linear(x))))
        return hidden


class Projection(nn.Module):
    """Linear -> [RMSNorm] -> activation -> dropout for each hidden width, then Linear: (..., in) -> (..., out).

    Args:
        in_dim: width of the input.
        hidden_dims: the hidden widths, from the first layer to the last; without any there is one linear map.
        out_dim: width of the output.
        activation: the activation function; ``gelu`` is the exact form, with erf.
        norm: whether an RMSNorm precedes each activation.
        dropout: dropout rate after each activation, the share of values that are set to zero.
        batch_norm: whether a batch norm precedes each activation, for inputs (batch, in) and without ``norm``.

    Example:
        >>> import torch
        >>> Projection(in_dim=6, hidden_dims=[4], out_dim=3)(torch.randn(2, 6)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        *,
        in_dim: int,
        hidden_dims: Sequence[PositiveInt] = (),
        out_dim: int,
        activation: ActivationName = "relu",
        norm: bool = True,
        dropout: DropoutRate = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ProjectionLayer(
                in_dim=width,
                out_dim=next_width,
                activation=activation,
                norm=norm,
                dropout=dropout,
                batch_norm=batch_norm,
            )
            for width, next_width in pairwise([in_dim, *hidden_dims])
        )
        self.out = nn.Linear([in_dim, *hidden_dims][-1], out_dim)
        init_linear_(self)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Project the last axis."""
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.out(x)
        return out
