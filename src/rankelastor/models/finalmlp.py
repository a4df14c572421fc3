"""FinalMLP: two MLPs on differently gated embeddings, joined by a bilinear fusion.

Source: Mao et al. 2023, arXiv 2304.00902.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import MinLen
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from rankelastor.models.deep import LayerStyle
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.fusion import BilinearFusion
from rankelastor.nn.own_draws import OwnDraws
from rankelastor.nn.projection import Projection
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.schema import FeatureSchema


class StreamSettings(LayerStyle):
    """One stream of FinalMLP: hidden layers, and the fields that decide its gate."""

    hidden_dims: Annotated[tuple[PositiveInt, ...], MinLen(1), Field(description="Widths of the hidden layers.")]
    context: Annotated[
        tuple[str, ...], Field(description="Fields from which the gate is computed; empty: a learned vector.")
    ] = ()


class FinalMlpSettings(RankerSettings):
    """FinalMLP: two streams of hidden layers, each behind a gate of its own, and a bilinear fusion by heads.

    NOTE[DIFF]: in the benchmark code the fields of a context have embeddings of their own for the gate; here the gate
    reads the field embeddings that the streams read. With equal rows the logits are equal (benchmarks/peers.py).
    The learned vector of a gate without context starts small, where theirs starts at 0 (see `StreamGate`).
    """

    kind: Literal["finalmlp"]
    stream1: Annotated[StreamSettings, Field(description="The first stream.")]
    stream2: Annotated[StreamSettings, Field(description="The second stream.")]
    gate_dims: Annotated[
        tuple[PositiveInt, ...] | None,
        Field(description="Widths of the hidden layers of the gates; none: no gates, both streams get all embeddings."),
    ] = (64,)
    num_heads: Annotated[
        PositiveInt, Field(description="Heads of the fusion; it must divide the last width of each stream.")
    ] = 1

    def network(self, schema: FeatureSchema) -> FinalMlpNetwork:
        """Make gates, streams and fusion.

        Raises:
            SizesDoNotFit: a context names an unknown field, or the heads do not divide the streams.
        """
        in_dim = schema.num_fields * self.embedding_dim
        streams = (self.stream1, self.stream2)
        gated = self.gate_dims is not None
        return FinalMlpNetwork(
            gates=[self._gate(stream, schema, name=f"stream{n}") for n, stream in enumerate(streams, 1)]
            if gated
            else (),
            streams=[stream.hidden(stream.hidden_dims, in_dim=in_dim) for stream in streams],
            fusion=BilinearFusion(
                first_dim=self.stream1.hidden_dims[-1],
                second_dim=self.stream2.hidden_dims[-1],
                num_tasks=len(schema.tasks),
                num_heads=self.num_heads,
            ),
        )

    def _gate(self, stream: StreamSettings, schema: FeatureSchema, *, name: str) -> StreamGate:
        unknown = sorted(set(stream.context) - set(schema.names))
        if unknown:
            raise SizesDoNotFit(f"{name}.context must name fields of {list(schema.names)}, but {unknown} were given")
        return StreamGate(
            places=[schema.names.index(field) for field in stream.context],
            num_fields=schema.num_fields,
            embedding_dim=self.embedding_dim,
            hidden_dims=self.gate_dims or (),
        )


class StreamGate(nn.Module):
    """2 sigmoid(mlp(context)) o flat(fields), where the context is the embedding of some fields, or a learned vector.

    NOTE[DIFF]: in the benchmark code the learned vector starts at 0. With biases of 0 the ReLUs behind it then pass no
    gradient, and the gate never learns. Here it starts as N(0, 1e-4), so that the factors start near 1 all the same.
    Its numbers come from a generator of its own: no other initial value depends on them. Covered by
    tests/models/test_every_model.py.

    Args:
        places: indices of the fields that are the context; empty: a learned vector.
        num_fields: number of fields.
        embedding_dim: width of one field's embedding.
        hidden_dims: widths of the gate's hidden layers.

    Example:
        >>> StreamGate(places=[1], num_fields=3, embedding_dim=4, hidden_dims=[5])(torch.randn(2, 3, 4)).shape
        torch.Size([2, 12])

    Source: arXiv 2304.00902, section 3.2 (stream-specific feature selection).
    """

    def __init__(
        self, *, places: Sequence[int], num_fields: int, embedding_dim: int, hidden_dims: Sequence[int]
    ) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(places, dtype=torch.int64), persistent=False)
        self.learned = None if places else nn.Parameter(_small_vector(embedding_dim))
        in_dim = max(1, len(places)) * embedding_dim
        self.mlp = Projection(
            in_dim=in_dim, hidden_dims=hidden_dims, out_dim=num_fields * embedding_dim, activation="relu", norm=False
        )

    places: Tensor

    def forward(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch flat"]:
        """Scale each coordinate of the flat embeddings by a factor in 0..2."""
        context = fields.index_select(1, self.places).flatten(1) if self.learned is None else self.learned
        factors: Tensor = 2 * self.mlp(context).sigmoid()
        return factors * fields.flatten(1)


def _small_vector(embedding_dim: int) -> Tensor:
    with OwnDraws(torch.Generator().manual_seed(0)):
        return nn.init.normal_(torch.empty(1, embedding_dim), std=0.01)


class FinalMlpNetwork(nn.Module):
    """fusion(stream1(gate1(fields)), stream2(gate2(fields))): embedded fields -> logits (batch, task).

    Args:
        gates: two maps from (batch, field, dim) to (batch, flat), or none.
        streams: two maps from (batch, flat) to (batch, hidden).
        fusion: maps both to (batch, task).

    Example:
        >>> network = FinalMlpNetwork(
        ...     gates=(), streams=[nn.Linear(12, 6), nn.Linear(12, 4)], fusion=BilinearFusion(first_dim=6, second_dim=4)
        ... )
        >>> network(Embedded(torch.randn(2, 3, 4))).shape
        torch.Size([2, 1])

    Source: arXiv 2304.00902, equations 2 to 6.
    """

    def __init__(self, *, gates: Sequence[StreamGate], streams: Sequence[nn.Module], fusion: BilinearFusion) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.gates = nn.ModuleList(gates)
        self.streams = nn.ModuleList(streams)
        self.fusion = fusion

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices (row, dim): the field embeddings."""
        return {RAW_STAGE: self.field_matrix}

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order."""
        return {"gates": [*self.gates], "streams": [*self.streams], "fusion": [self.fusion]}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        fields = self.field_matrix(embedded.fields)
        inputs = [gate(fields) for gate in self.gates] if len(self.gates) else [fields.flatten(1)] * 2
        first, second = (stream(given) for stream, given in zip(self.streams, inputs, strict=True))
        logits: Tensor = self.fusion(first, second)
        return logits
