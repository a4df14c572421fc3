"""The field embeddings as a matrix that can be observed."""

from jaxtyping import Float
from torch import Tensor, nn

RAW_STAGE = "fields"
"""Name of the point at the field embeddings, the first stage of a network."""


class FieldMatrix(nn.Module):
    """The field embeddings, unchanged: the first point of a network's spectrum, a matrix (field, embedding_dim).

    Example:
        >>> import torch
        >>> FieldMatrix()(torch.ones(1, 1, 2)).tolist()
        [[[1.0, 1.0]]]
    """

    def forward(self, fields: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, "batch field embedding_dim"]:
        """Return the field embeddings."""
        return fields
