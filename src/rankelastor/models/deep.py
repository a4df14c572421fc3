"""Settings of the deep part, the fully connected layers that several models have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator
from torch import nn

from rankelastor.config.base import Settings
from rankelastor.models.layer_settings import descriptions_of
from rankelastor.nn.activation import ActivationName
from rankelastor.nn.init import init_linear_
from rankelastor.nn.projection import Projection, ProjectionLayer
from rankelastor.nn.sizes import DropoutRate

_described = descriptions_of(Projection)


class LayerStyle(Settings):
    """What lies between the linear maps of a deep part: [norm] -> activation -> dropout."""

    activation: ActivationName = Field("relu", description=_described["activation"])
    norm: bool = Field(False, description=_described["norm"])  # noqa: FBT003 - a default
    batch_norm: bool = Field(False, description=_described["batch_norm"])  # noqa: FBT003 - a default
    dropout: DropoutRate = Field(0.0, description=_described["dropout"])

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

    hidden_dims: Annotated[tuple[PositiveInt, ...], Field(description="Widths of the hidden layers.")]

    def deep(self, *, in_dim: int, out_dim: int) -> Projection:
        """Make the hidden layers and a linear map to ``out_dim``, with initial values."""
        return self.projection(self.hidden_dims, in_dim=in_dim, out_dim=out_dim)
