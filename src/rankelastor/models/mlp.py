"""A plain MLP: the deep part of most rankers without anything else, and the baseline for other models.

Source: the deep part of Wide & Deep, arXiv 1606.07792; `DNN` in FuxiCTR's model zoo.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class MlpSettings(DeepSettings, RankerSettings):
    """A plain MLP over the concatenated field embeddings: hidden layers, then a linear map to the logits."""

    kind: Literal["mlp"]

    def network(self, schema: FeatureSchema) -> MlpNetwork:
        """Make the MLP."""
        return MlpNetwork(self.deep(in_dim=schema.num_fields * self.embedding_dim, out_dim=len(schema.tasks)))


class MlpNetwork(nn.Module):
    """mlp(flat(fields)): embedded fields -> logits (batch, task).

    Args:
        mlp: maps (batch, field * embedding_dim) to (batch, task).

    Example:
        >>> import torch
        >>> network = MlpNetwork(Projection(in_dim=3 * 4, hidden_dims=[8], out_dim=1))
        >>> network(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])
    """

    def __init__(self, mlp: Projection) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.mlp = mlp

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim): the field embeddings."""
        return {RAW_STAGE: self.field_matrix}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        logits: Tensor = self.mlp(self.field_matrix(embedded.fields).flatten(1))
        return logits
