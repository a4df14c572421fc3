"""Multi-Embedding: several embedding tables of the same fields, each with an interaction of its own, averaged.

Source: Guo et al. 2023, On the Embedding Collapse when Scaling up Recommendation Models, arXiv 2310.04400.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, cast

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import relu

from rankelastor.models.deep import DeepSettings
from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import FieldMatrix
from rankelastor.nn.interaction.flat import CinInteraction, CrossInteraction, FlatInteraction
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema

INTERACTIONS = LayerChoice(
    {"cross": CrossInteraction, "cin": CinInteraction, "flat": FlatInteraction},
    given=["num_fields", "embedding_dim"],
)

if TYPE_CHECKING:
    InteractionSettings = LayerSettings
else:
    InteractionSettings = INTERACTIONS.annotation


class MultiEmbeddingSettings(DeepSettings, RankerSettings):
    """Multi-Embedding: ``num_tables`` tables of width ``embedding_dim``, an interaction for each, and one MLP.

    The tables lie side by side as columns of one table, so that their rows are looked up at once.
    """

    kind: Literal["multi_embedding"]
    num_tables: Annotated[PositiveInt, Field(description="Number of embedding tables.")] = 2
    interaction: Annotated[InteractionSettings, Field(description="Interaction of the fields of each table.")] = (
        INTERACTIONS.settings("cross")
    )

    def embedding_width(self, schema: FeatureSchema) -> int:  # noqa: ARG002 - the base class has it
        """Width of the rows: all tables side by side."""
        return self.num_tables * self.embedding_dim

    def network(self, schema: FeatureSchema) -> MultiEmbeddingNetwork:
        """Make an interaction for each table, and the MLP behind their mean."""
        given = {"num_fields": schema.num_fields, "embedding_dim": self.embedding_dim}
        interactions = [
            cast("FlatInteraction", INTERACTIONS.build(self.interaction, given)) for _ in range(self.num_tables)
        ]
        deep = self.deep(in_dim=interactions[0].out_dim, out_dim=len(schema.tasks))
        return MultiEmbeddingNetwork(interactions=interactions, embedding_dim=self.embedding_dim, deep=deep)


class MultiEmbeddingNetwork(nn.Module):
    """mlp(ReLU(mean over tables of interaction_m(fields_m))): embedded fields -> logits (batch, task).

    NOTE[OPEN]: the paper writes the mean of the interactions behind a common map and a non-linearity, and leaves the
    map open. Here the ReLU follows the mean, and the MLP is shared by the tables; without it the mean of bilinear
    interactions could be one of a single, wider table.

    Args:
        interactions: one per table, each maps (batch, field, embedding_dim) to (batch, out).
        embedding_dim: width of an embedding in each table.
        deep: maps (batch, out) to (batch, task).

    Example:
        >>> parts = [FlatInteraction(num_fields=3, embedding_dim=4) for _ in range(2)]
        >>> network = MultiEmbeddingNetwork(interactions=parts, embedding_dim=4, deep=Projection(in_dim=12, out_dim=1))
        >>> network(Embedded(torch.randn(2, 3, 8))).shape
        torch.Size([2, 1])

    Source: arXiv 2310.04400, section 5.
    """

    def __init__(self, *, interactions: Sequence[FlatInteraction], embedding_dim: int, deep: Projection) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.tables = nn.ModuleList(FieldMatrix() for _ in interactions)
        self.interactions = nn.ModuleList(interactions)
        self.deep = deep

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (field, embedding_dim): the field embeddings of each table."""
        return {f"table{index}": table for index, table in enumerate(self.tables)}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        return {"interactions": [*self.interactions], "deep": [self.deep]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        tables = embedded.fields.split(self.embedding_dim, dim=2)
        parts = zip(self.interactions, self.tables, tables, strict=True)
        mean = torch.stack([interaction(point(fields)) for interaction, point, fields in parts]).mean(dim=0)
        logits: Tensor = self.deep(relu(mean))
        return logits
