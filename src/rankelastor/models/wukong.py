"""Wukong: stacked factorization machines, each layer of which doubles the degree of the products.

Source: Zhang et al. 2024, Wukong: Towards a Scaling Law for Large-Scale Recommendation, arXiv 2403.02545.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from rankelastor.models.deep import DeepSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.wukong import WukongLayer
from rankelastor.nn.projection import Projection
from rankelastor.schema import FeatureSchema


class WukongSettings(DeepSettings, RankerSettings):
    """Wukong: layers of factorization machines on the field embeddings, and an MLP of the last one's rows.

    ``hidden_dims`` and the settings beside it are those of the MLP behind the layers.
    """

    kind: Literal["wukong"]
    num_layers: Annotated[PositiveInt, Field(description="Number of layers.")] = 2
    num_factorized: Annotated[
        PositiveInt, Field(description="Number of rows that each layer computes by its factorization machine, n_F.")
    ] = 8
    num_compressed: Annotated[
        PositiveInt, Field(description="Number of rows that each layer computes as linear combinations, n_L.")
    ] = 8
    rank: Annotated[
        PositiveInt, Field(description="Number of columns that the products of each row with all are projected to, k.")
    ] = 8
    layer_hidden_dims: Annotated[
        tuple[PositiveInt, ...], Field(description="Hidden widths of the MLP inside each layer.")
    ] = (128,)
    last_activation: Annotated[
        Literal["relu", "identity"], Field(description="Activation behind the last map of each layer's MLP.")
    ] = "identity"

    def network(self, schema: FeatureSchema) -> WukongNetwork:
        """Make the layers and the MLP behind them."""
        num_out = self.num_factorized + self.num_compressed
        rows = [schema.num_fields, *[num_out] * self.num_layers]
        return WukongNetwork(
            layers=[self._layer(num_rows) for num_rows, _ in pairwise(rows)],
            deep=self.deep(in_dim=num_out * self.embedding_dim, out_dim=len(schema.tasks)),
        )

    def _layer(self, num_rows: int) -> WukongLayer:
        return WukongLayer(
            num_rows=num_rows,
            dim=self.embedding_dim,
            num_factorized=self.num_factorized,
            num_compressed=self.num_compressed,
            rank=self.rank,
            hidden_dims=self.layer_hidden_dims,
            last_activation=self.last_activation,
        )


class WukongNetwork(nn.Module):
    """mlp(flat(layers(fields))): embedded fields -> logits (batch, task).

    Args:
        layers: layers, each maps (batch, row, dim) to (batch, out, dim).
        deep: maps (batch, out * dim) to (batch, task).

    Source: arXiv 2403.02545, section 3.
    """

    def __init__(self, *, layers: Sequence[WukongLayer], deep: Projection) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.layers = nn.ModuleList(layers)
        self.deep = deep

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim), in order: the field embeddings and each layer."""
        return {RAW_STAGE: self.field_matrix, **{f"layer{index}": layer for index, layer in enumerate(self.layers)}}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        return {"layers": [*self.layers], "deep": [self.deep]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        rows = self.field_matrix(embedded.fields)
        for layer in self.layers:
            rows = layer(rows)
        logits: Tensor = self.deep(rows.flatten(1))
        return logits
