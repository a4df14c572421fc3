"""Settings of the deep part, the fully connected layers that several models have."""

from pydantic import Field, PositiveInt

from rankelastor.config.base import Settings
from rankelastor.models.layer_settings import descriptions_of
from rankelastor.nn.activation import ActivationName
from rankelastor.nn.projection import Projection
from rankelastor.nn.sizes import DropoutRate

_described = descriptions_of(Projection)


class DeepSettings(Settings):
    """Linear -> [RMSNorm] -> activation -> dropout for each of ``hidden_dims``; the settings of a ``Projection``."""

    hidden_dims: tuple[PositiveInt, ...] = Field(description=_described["hidden_dims"])
    activation: ActivationName = Field("relu", description=_described["activation"])
    norm: bool = Field(False, description=_described["norm"])  # noqa: FBT003 - a default
    dropout: DropoutRate = Field(0.0, description=_described["dropout"])

    def deep(self, *, in_dim: int, out_dim: int) -> Projection:
        """Make the hidden layers and a linear map to ``out_dim``, with initial values."""
        return Projection(
            in_dim=in_dim,
            hidden_dims=self.hidden_dims,
            out_dim=out_dim,
            activation=self.activation,
            norm=self.norm,
            dropout=self.dropout,
        )
