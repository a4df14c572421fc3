"""Pretrained vectors of the data, projected to the model's width."""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from rankelastor.nn.init import init_linear_


class PretrainedEmbedding(nn.Module):
    """Look up vectors given with the data and map them linearly: ids (...) -> (..., embedding_dim).

    The map has no bias, so that a zero vector (padding, or a value without one) stays zero. Frozen vectors are a buffer
    and trained ones a parameter; both are part of the ``state_dict``, which is therefore complete without the data.

    Args:
        num_ids: number of rows, padding included.
        dim: width of the pretrained vectors.
        embedding_dim: width of the output.
        trained: whether training changes the vectors.

    Example:
        >>> embed = PretrainedEmbedding(num_ids=3, dim=5, embedding_dim=4, trained=False)
        >>> embed.set_vectors(torch.ones(3, 5))
        >>> embed(torch.tensor([[1, 2]])).shape, [name for name, _ in embed.named_parameters()]
        (torch.Size([1, 2, 4]), ['projection.weight'])
    """

    vectors: Tensor

    def __init__(self, *, num_ids: int, dim: int, embedding_dim: int, trained: bool) -> None:
        super().__init__()
        vectors = torch.zeros(num_ids, dim)
        if trained:
            self.vectors = nn.Parameter(vectors)
        else:
            self.register_buffer("vectors", vectors)
        self.projection = nn.Linear(dim, embedding_dim, bias=False)
        init_linear_(self)

    @torch.no_grad()
    def set_vectors(self, vectors: Float[Tensor, "id dim"]) -> None:
        """Copy ``vectors`` into the layer."""
        self.vectors.copy_(vectors)

    def forward(self, ids: Integer[Tensor, "*place"]) -> Float[Tensor, "*place embedding_dim"]:
        """Look up the vectors and project them; padding gives zero and gets no gradient."""
        looked_up = nn.functional.embedding(ids, self.vectors, padding_idx=0)
        projected: Tensor = self.projection(looked_up)
        return projected
