"""Whole rankers: a batch -> embedded features -> logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.schema import Batch


class Ranker(nn.Module):
    """An embedding and a network: a batch -> logits (batch, task). Loss and sigmoid stand outside.

    Args:
        embedding: the sparse part, a batch -> ``Embedded``.
        network: the dense part, ``Embedded`` -> logits (batch, task).
    """

    def __init__(self, *, embedding: FieldEmbedding, network: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.network = network

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """The named modules whose outputs can be observed, in the order of computation; empty where there are none."""
        points: Mapping[str, nn.Module] = getattr(self.network, "points", {})
        return points

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """The modules whose work makes up each stage of the network, in order; without names all of it is one stage."""
        stages: Mapping[str, Sequence[nn.Module]] = getattr(self.network, "stages", {"network": [self.network]})
        return stages

    @property
    def num_dense_parameters(self) -> int:
        """Number of parameters outside the embedding; about the multiply-adds per example."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def forward(self, batch: Batch) -> Float[Tensor, "batch task"]:
        """Compute the logits of a batch."""
        logits: Tensor = self.network(self.embedding(batch))
        return logits
