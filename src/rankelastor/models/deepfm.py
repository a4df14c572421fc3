"""DeepFM: a factorization machine and an MLP on the same embeddings.

Source: Guo et al. 2017, arXiv 1703.04247.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.first_order import FirstOrderSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.factorization import sum_of_pairs
from rankelastor.nn.interaction.first_order import FirstOrder, split_first_order
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class DeepFmSettings(DeepSettings, FirstOrderSettings):
    """DeepFM: a factorization machine, and hidden layers beside it."""

    kind: Literal["deepfm"]

    def network(self, schema: FeatureSchema) -> DeepFmNetwork:
        """Make the linear part and the deep part."""
        num_tasks = len(schema.tasks)
        return DeepFmNetwork(
            embedding_dim=self.embedding_dim,
            num_tasks=num_tasks,
            deep=self.deep(in_dim=schema.num_fields * self.embedding_dim, out_dim=num_tasks),
        )


class DeepFmNetwork(nn.Module):
    """sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j + mlp(flat(fields)): embedded fields -> logits (batch, task).

    The last map of the MLP has the bias.

    Args:
        embedding_dim: width of an embedding; the columns behind it are the weights of first order.
        num_tasks: number of tasks.
        deep: maps (batch, field * embedding_dim) to (batch, task).

    Example:
        >>> import torch
        >>> deep = Projection(in_dim=12, hidden_dims=[8], out_dim=1)
        >>> DeepFmNetwork(embedding_dim=4, num_tasks=1, deep=deep)(Embedded(torch.randn(2, 3, 5))).shape
        torch.Size([2, 1])

    Source: arXiv 1703.04247, equations 1 to 4.
    """

    def __init__(self, *, embedding_dim: int, num_tasks: int, deep: Projection) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.field_matrix = FieldMatrix()
        self.first_order = FirstOrder(num_tasks=num_tasks, bias=False)
        self.deep = deep

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim): the field embeddings."""
        return {RAW_STAGE: self.field_matrix}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network; the products are in none."""
        return {"first order": [self.first_order], "deep": [self.deep]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields, weights = split_first_order(embedded.fields, embedding_dim=self.embedding_dim)
        fields = self.field_matrix(fields)
        logits: Tensor = self.first_order(weights) + sum_of_pairs(fields) + self.deep(fields.flatten(1))
        return logits
