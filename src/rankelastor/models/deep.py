"""Settings of the deep part, the fully connected layers that several models have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator
from torch import nn

from rankelastor.config.base import Settings
from rankelastor.nn.activation import ActivationName
from rankelastor.nn.init import init_linear_
from rankelastor.nn.projection import Projection, ProjectionLayer
from rankelastor.nn.sizes import DropoutRate


class LayerStyle(Settings):
    """What lies between the linear maps of a deep part: [norm] -> activation -> dropout."""

    activation: Annotated[ActivationName, Field(description="activation of each hidden layer")] = "relu"
    norm: Annotated[bool, Field(description="whether an RMSNorm precedes each activation")] = False
    batch_norm: Annotated[
        bool, Field(description="whether a batch norm precedes each activation; it couples the examples of a batch")
    ] = False
    dropout: Annotated[DropoutRate, Field(description="share of a hidden layer's outputs that are dropped")] = 0.0

    @model_validator(mode="after")
    def _check_norms(self) -> Self:
        if self.norm and self.batch_norm:
            raise ValueError("norm and batch_norm must not both be on, but both were given; try norm=false")
        return self

    def projection(self, hidden_dims: Sequence[int], *, in_dim: int, out_dim: int) -> Projection:
        """Make hidden layers of these widths and a linear map to ``out_dim``, with initial values."""
        return Projection(
            in_dim=in_dim,
            hidden_dims=hidden_dims,
            out_dim=out_dim,
            activation=self.activation,
            norm=self.norm,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
        )

    def hidden(self, hidden_dims: Sequence[int], *, in_dim: int) -> nn.Sequential:
        """Make hidden layers of these widths, without a linear map behind them, with initial values."""
        layers = nn.Sequential(
            *(
                ProjectionLayer(
                    in_dim=width,
                    out_dim=next_width,
                    activation=self.activation,
                    norm=self.norm,
                    dropout=self.dropout,
                    batch_norm=self.batch_norm,
                )
                for width, next_width in pairwise([in_dim, *hidden_dims])
            )
        )
        init_linear_(layers)
        return layers


class DeepSettings(LayerStyle):
    """Linear -> [RMSNorm or batch norm] -> activation -> dropout for each of ``hidden_dims``, then Linear."""

    hidden_dims: Annotated[tuple[PositiveInt, ...], Field(description="widths of the hidden layers")]

    def deep(self, *, in_dim: int, out_dim: int) -> Projection:
        """Make the hidden layers and a linear map to ``out_dim``, with initial values."""
        return self.projection(self.hidden_dims, in_dim=in_dim, out_dim=out_dim)
