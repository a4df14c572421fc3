"""A factorization machine: a linear model, and the dot products of all pairs of embeddings.

Source: Rendle 2010, Factorization Machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.models.first_order import FirstOrderSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.factorization import sum_of_pairs
from rankelastor.nn.interaction.first_order import FirstOrder, split_first_order
from rankelastor.schema import FeatureSchema


class FmSettings(FirstOrderSettings):
    """A factorization machine; nothing to set beside the width of its embeddings."""

    kind: Literal["fm"]

    def network(self, schema: FeatureSchema) -> FmNetwork:
        """Make the linear part; the products have no parameters."""
        return FmNetwork(embedding_dim=self.embedding_dim, num_tasks=len(schema.tasks))


class FmNetwork(nn.Module):
    """b + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j: embedded fields -> logits (batch, task).

    The tasks share the embeddings and so the products; each has first-order weights and a bias of its own.

    Args:
        embedding_dim: width of an embedding; the columns behind it are the weights of first order.
        num_tasks: number of tasks.

    Example:
        >>> import torch
        >>> embedded = Embedded(torch.tensor([[[1.0, 0.5], [2.0, 0.0], [3.0, 0.0]]]))  # width 1, then a weight
        >>> FmNetwork(embedding_dim=1)(embedded).tolist()  # .5 + 1 * 2 + 1 * 3 + 2 * 3
        [[11.5]]

    Source: Rendle 2010, equation 1 and lemma 3.1.
    """

    def __init__(self, *, embedding_dim: int, num_tasks: int = 1) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.field_matrix = FieldMatrix()
        self.first_order = FirstOrder(num_tasks=num_tasks)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim): the field embeddings."""
        return {RAW_STAGE: self.field_matrix}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network; the products are in none."""
        return {"first order": [self.first_order]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields, weights = split_first_order(embedded.fields, embedding_dim=self.embedding_dim)
        logits: Tensor = self.first_order(weights) + sum_of_pairs(self.field_matrix(fields))
        return logits
