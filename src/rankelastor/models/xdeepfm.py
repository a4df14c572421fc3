"""xDeepFM: a compressed interaction network, an MLP and a linear model, added up.

Source: Lian et al. 2018, arXiv 1803.05170.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import MinLen
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.first_order import FirstOrderSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.init import init_linear_
from rankelastor.nn.interaction.cin import CompressedInteractionNetwork
from rankelastor.nn.interaction.first_order import FirstOrder, split_first_order
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class XDeepFmSettings(DeepSettings, FirstOrderSettings):
    """xDeepFM: a compressed interaction network (CIN), hidden layers and a linear model beside each other."""

    kind: Literal["xdeepfm"]
    cin_dims: Annotated[
        tuple[PositiveInt, ...], MinLen(1), Field(description="Number of rows of each layer of the CIN.")
    ] = (16, 16)

    def network(self, schema: FeatureSchema) -> XDeepFmNetwork:
        """Make the three parts."""
        num_tasks = len(schema.tasks)
        return XDeepFmNetwork(
            embedding_dim=self.embedding_dim,
            num_tasks=num_tasks,
            cin=CompressedInteractionNetwork(num_fields=schema.num_fields, layer_dims=self.cin_dims),
            deep=self.deep(in_dim=schema.num_fields * self.embedding_dim, out_dim=num_tasks),
        )


class XDeepFmNetwork(nn.Module):
    """sum_i w_i x_i + W cin(fields) + mlp(flat(fields)): embedded fields -> logits (batch, task).

    Args:
        embedding_dim: width of an embedding; the columns behind it are the weights of first order.
        num_tasks: number of tasks.
        cin: maps (batch, field, embedding_dim) to (batch, out).
        deep: maps (batch, field * embedding_dim) to (batch, task).

    Example:
        >>> import torch
        >>> cin = CompressedInteractionNetwork(num_fields=3, layer_dims=[5])
        >>> deep = Projection(in_dim=12, hidden_dims=[8], out_dim=1)
        >>> XDeepFmNetwork(embedding_dim=4, num_tasks=1, cin=cin, deep=deep)(Embedded(torch.randn(2, 3, 5))).shape
        torch.Size([2, 1])

    Source: arXiv 1803.05170, equation 9.
    """

    def __init__(
        self, *, embedding_dim: int, num_tasks: int, cin: CompressedInteractionNetwork, deep: Projection
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.field_matrix = FieldMatrix()
        self.first_order = FirstOrder(num_tasks=num_tasks, bias=False)
        self.cin = cin
        self.cin_out = nn.Linear(cin.out_dim, num_tasks)
        self.deep = deep
        init_linear_(self.cin_out)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim), in order: the field embeddings and the layers of the CIN."""
        layers = {f"cin{index}": layer for index, layer in enumerate(self.cin.layers)}
        return {RAW_STAGE: self.field_matrix, **layers}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        return {"first order": [self.first_order], "CIN": [self.cin, self.cin_out], "deep": [self.deep]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields, weights = split_first_order(embedded.fields, embedding_dim=self.embedding_dim)
        fields = self.field_matrix(fields)
        logits: Tensor = self.first_order(weights) + self.cin_out(self.cin(fields)) + self.deep(fields.flatten(1))
        return logits
