"""Settings of the fully connected layers that several models have: their deep part."""

from pydantic import PositiveInt

from rankelastor.config.base import Settings
from rankelastor.nn.activation import ActivationName
from rankelastor.nn.projection import Projection
from rankelastor.nn.sizes import DropoutRate


class DeepSettings(Settings):
    """Linear -> [RMSNorm] -> activation -> dropout for each of ``hidden_dims``; the settings of a ``Projection``."""

    hidden_dims: tuple[PositiveInt, ...]
    activation: ActivationName = "relu"
    norm: bool = False
    dropout: DropoutRate = 0.0

    def deep(self, *, in_dim: int, out_dim: int) -> Projection:
        """Make the hidden layers and a linear map to ``out_dim`` behind them, with fresh initial values."""
        return Projection(
            in_dim=in_dim,
            hidden_dims=self.hidden_dims,
            out_dim=out_dim,
            activation=self.activation,
            norm=self.norm,
            dropout=self.dropout,
        )
