"""FiBiNET: bilinear products of all pairs of fields, of the embeddings as they are and scaled by importance.

Source: Huang et al. 2019, arXiv 1905.09433.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.first_order import FirstOrderSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.bilinear import BilinearInteraction, BilinearName
from rankelastor.nn.interaction.first_order import FirstOrder, split_first_order
from rankelastor.nn.interaction.squeeze import SqueezeExcitation
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class FiBiNetSettings(DeepSettings, FirstOrderSettings):
    """FiBiNET: squeeze and excitation, bilinear products, hidden layers, and a linear model beside them."""

    kind: Literal["fibinet"]
    reduction: Annotated[
        PositiveInt, Field(description="Number of fields over the inner width of squeeze and excitation.")
    ] = 3
    bilinear: Annotated[
        BilinearName, Field(description="Which pairs of fields share a matrix: none (pair), those of a field, all.")
    ] = "pair"

    def network(self, schema: FeatureSchema) -> FiBiNetNetwork:
        """Make the squeeze, both bilinear parts, the deep part and the linear part."""
        num_fields, num_tasks = schema.num_fields, len(schema.tasks)
        num_pairs = num_fields * (num_fields - 1) // 2
        return FiBiNetNetwork(
            embedding_dim=self.embedding_dim,
            num_tasks=num_tasks,
            squeeze=SqueezeExcitation(num_fields=num_fields, reduction=self.reduction),
            pairs=[
                BilinearInteraction(num_fields=num_fields, embedding_dim=self.embedding_dim, share=self.bilinear)
                for _ in range(2)
            ],
            deep=self.deep(in_dim=2 * num_pairs * self.embedding_dim, out_dim=num_tasks),
        )


class FiBiNetNetwork(nn.Module):
    """sum_i w_i x_i + mlp(concat(pairs(E), pairs'(squeeze(E)))): embedded fields -> logits (batch, task).

    Args:
        embedding_dim: width of an embedding; the columns behind it are the weights of first order.
        num_tasks: number of tasks.
        squeeze: scales the fields by their importance.
        pairs: bilinear products of the embeddings, and of the scaled ones.
        deep: maps (batch, 2 * pair * embedding_dim) to (batch, task).

    Example:
        >>> network = FiBiNetNetwork(
        ...     embedding_dim=4,
        ...     num_tasks=1,
        ...     squeeze=SqueezeExcitation(num_fields=3),
        ...     pairs=[BilinearInteraction(num_fields=3, embedding_dim=4) for _ in range(2)],
        ...     deep=Projection(in_dim=2 * 3 * 4, out_dim=1),
        ... )
        >>> network(Embedded(torch.randn(2, 3, 5))).shape
        torch.Size([2, 1])

    Source: arXiv 1905.09433, section 3.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        num_tasks: int,
        squeeze: SqueezeExcitation,
        pairs: Sequence[BilinearInteraction],
        deep: Projection,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.field_matrix = FieldMatrix()
        self.first_order = FirstOrder(num_tasks=num_tasks, bias=False)
        self.squeeze = squeeze
        self.pairs = nn.ModuleList(pairs)
        self.deep = deep

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim), in order: field embeddings, scaled ones, products of both."""
        return {
            RAW_STAGE: self.field_matrix,
            "scaled": self.squeeze,
            "pairs": self.pairs[0],
            "scaled_pairs": self.pairs[1],
        }

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        return {
            "first order": [self.first_order],
            "squeeze": [self.squeeze],
            "bilinear": [*self.pairs],
            "deep": [self.deep],
        }

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields, weights = split_first_order(embedded.fields, embedding_dim=self.embedding_dim)
        fields = self.field_matrix(fields)
        sides = zip(self.pairs, (fields, self.squeeze(fields)), strict=True)
        products = torch.cat([pairs(side) for pairs, side in sides], dim=1)
        logits: Tensor = self.first_order(weights) + self.deep(products.flatten(1))
        return logits
