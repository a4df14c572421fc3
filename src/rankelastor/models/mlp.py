"""A plain MLP: the deep part of most rankers, alone. The least that another model must beat.

Source: the deep part of Wide & Deep, arXiv 1606.07792; `DNN` in FuxiCTR's model zoo.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class MlpSettings(DeepSettings, RankerSettings):
    """A plain MLP over all field embeddings side by side: hidden layers, then a linear map to the logits."""

    kind: Literal["mlp"]

    def network(self, schema: FeatureSchema) -> MlpNetwork:
        """Make the MLP."""
        return MlpNetwork(self.deep(in_dim=schema.num_fields * self.embedding_dim, out_dim=len(schema.tasks)))


class MlpNetwork(nn.Module):
    """mlp(flat(fields)): embedded fields -> logits (batch, task).

    Args:
        mlp: from (batch, field * embedding_dim) to (batch, task).

    Example:
        >>> import torch
        >>> network = MlpNetwork(Projection(in_dim=3 * 4, hidden_dims=[8], out_dim=1))
        >>> network(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])
    """

    def __init__(self, mlp: Projection) -> None:
        super().__init__()
        self.mlp = mlp

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        logits: Tensor = self.mlp(embedded.fields.flatten(1))
        return logits
