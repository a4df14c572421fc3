"""Whole rankers: a batch -> embedded features -> logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.objectives.binary_cross_entropy import PartLabels
from rankelastor.schema import Batch


class Ranker(nn.Module):
    """An embedding and a network: a batch -> logits (batch, task). The sigmoid and the loss are not part of it.

    Args:
        embedding: the sparse part, batch -> ``Embedded``.
        network: the dense part, ``Embedded`` -> logits (batch, task).
    """

    def __init__(self, *, embedding: FieldEmbedding, network: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.network = network

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """Modules whose outputs can be observed, by name and in the order of computation; possibly empty."""
        points: Mapping[str, nn.Module] = getattr(self.network, "points", {})
        return points

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, by name and in order; by default the network is one stage."""
        stages: Mapping[str, Sequence[nn.Module]] = getattr(self.network, "stages", {"network": [self.network]})
        return stages

    @property
    def parts_learn_from(self) -> PartLabels:
        """Labels of the parts whose logits the network returns while training; by default those of the whole."""
        source: PartLabels = getattr(self._network_with_parts, "parts_learn_from", "whole")
        return source

    @property
    def part_weight(self) -> float:
        """Weight of the loss of each part of the network; 1 by default."""
        weight: float = getattr(self._network_with_parts, "part_weight", 1.0)
        return weight

    @property
    def _network_with_parts(self) -> nn.Module:
        """The network of the model that says what its parts learn; others may stand around it, such as a tower."""
        inside = (module for module in self.network.modules() if hasattr(module, "parts_learn_from"))
        return next(inside, self.network)

    @property
    def num_dense_parameters(self) -> int:
        """Number of parameters outside the embedding; about the multiply-adds per example."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def forward(self, batch: Batch) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of a batch; while training some networks also return those of their parts.

        Without training, a batch may have no rows.
        """
        if not batch.num_examples and not self.training:
            return self.forward(batch.padding(1))[:0]
        logits: Tensor = self.network(self.embedding(batch))
        return logits
