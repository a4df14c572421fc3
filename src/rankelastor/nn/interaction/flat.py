"""Interchangeable interactions that map field embeddings to one vector: (batch, field, e) -> (batch, out)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.interaction.cin import CompressedInteractionNetwork
from rankelastor.nn.interaction.cross import CrossNetwork
from rankelastor.nn.sizes import HiddenDims, PositiveInt


class FlatInteraction(nn.Module):
    """The flat embeddings themselves, for an MLP behind them.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.

    Example:
        >>> import torch
        >>> FlatInteraction(num_fields=3, embedding_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 12])
    """

    def __init__(self, *, num_fields: int, embedding_dim: int) -> None:
        super().__init__()
        self.out_dim = num_fields * embedding_dim

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch out"]:
        """Flatten the fields."""
        return fields.flatten(1)


class CrossInteraction(FlatInteraction):
    """Cross layers of DCN V2 over the flat embeddings.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        num_layers: number of cross layers.

    Example:
        >>> import torch
        >>> CrossInteraction(num_fields=3, embedding_dim=4)(torch.randn(2, 3, 4)).shape
        torch.Size([2, 12])

    Source: DCN V2, arXiv 2008.13535.
    """

    def __init__(self, *, num_fields: int, embedding_dim: int, num_layers: PositiveInt = 3) -> None:
        super().__init__(num_fields=num_fields, embedding_dim=embedding_dim)
        self.cross = CrossNetwork(width=self.out_dim, num_layers=num_layers)

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch out"]:
        """Apply the cross layers."""
        crossed: Tensor = self.cross(fields.flatten(1))
        return crossed


class CinInteraction(FlatInteraction):
    """The compressed interaction network of xDeepFM.

    Args:
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        layer_dims: number of rows of each layer.

    Example:
        >>> import torch
        >>> CinInteraction(num_fields=3, embedding_dim=4, layer_dims=[5, 6])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 11])

    Source: xDeepFM, arXiv 1803.05170.
    """

    def __init__(self, *, num_fields: int, embedding_dim: int, layer_dims: HiddenDims = (16, 16)) -> None:
        super().__init__(num_fields=num_fields, embedding_dim=embedding_dim)
        self.cin = CompressedInteractionNetwork(num_fields=num_fields, layer_dims=layer_dims)
        self.out_dim = self.cin.out_dim

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch out"]:
        """Apply the layers, and sum each row."""
        sums: Tensor = self.cin(fields)
        return sums
