"""Bilinear products of all pairs of field embeddings."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.sizes import SizesDoNotFit

BilinearName = Literal["pair", "field", "all"]


class BilinearInteraction(nn.Module):
    """p_ij = (v_i W_ij) o v_j for all pairs of fields i < j: (batch, field, dim) -> (batch, pair, dim).

    Args:
        num_fields: number of fields, at least 2.
        embedding_dim: width of one field's embedding.
        share: ``pair``: a W for each pair; ``field``: a W for each i; ``all``: one W.

    Example:
        >>> BilinearInteraction(num_fields=4, embedding_dim=5)(torch.randn(2, 4, 5)).shape
        torch.Size([2, 6, 5])

    Source: FiBiNET, arXiv 1905.09433, section 3.3.
    """

    first: Tensor
    second: Tensor

    def __init__(self, *, num_fields: int, embedding_dim: int, share: BilinearName = "pair") -> None:
        super().__init__()
        if num_fields < 2:  # noqa: PLR2004 - a pair
            raise SizesDoNotFit(f"bilinear products must have 2 fields or more, but {num_fields} was given")
        first, second = torch.triu_indices(num_fields, num_fields, offset=1).unbind()
        num_maps = {"pair": len(first), "field": num_fields - 1, "all": 1}[share]
        self.share = share
        self.num_fields = num_fields
        self.register_buffer("first", first.clone(), persistent=False)
        self.register_buffer("second", second.clone(), persistent=False)
        self.weight = nn.Parameter(torch.empty(num_maps, embedding_dim, embedding_dim))
        nn.init.normal_(self.weight, std=embedding_dim**-0.5)  # Xavier normal of each map

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch pair dim"]:
        """Compute the product of each pair."""
        assert fields.shape[1] == self.num_fields, "as many fields as the products were made for"
        if self.share == "pair":
            mapped = _map_each(fields.index_select(1, self.first), self.weight)
        elif self.share == "field":
            mapped = _map_each(fields[:, :-1], self.weight).index_select(1, self.first)
        else:
            mapped = (fields @ self.weight[0]).index_select(1, self.first)
        return mapped * fields.index_select(1, self.second)


def _map_each(fields: Float[Tensor, "batch field dim"], maps: Float[Tensor, "field dim dim"]) -> Tensor:
    return torch.bmm(fields.transpose(0, 1), maps).transpose(0, 1)
