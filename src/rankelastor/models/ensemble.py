"""Several rankers as one: the mean of their logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.schema import Batch


class EmbeddingsOfMembers(nn.Module):
    """The embeddings of all members: a batch -> one ``Embedded`` for each."""

    def __init__(self, embeddings: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(embeddings)
        self.elsewhere = None  # a run folder holds whole tables

    def forward(self, batch: Batch) -> tuple[Embedded, ...]:
        """Look up the rows of each member."""
        return tuple(embedding(batch) for embedding in self.members)


class LogitsOfMembers(nn.Module):
    """The logits of all members side by side, in float64: those of the first member's tasks, of the second's, ...

    Args:
        networks: the networks of the members.
        logit_shifts: what is added to the logits of each.
    """

    def __init__(self, networks: Sequence[nn.Module], *, logit_shifts: Sequence[float]) -> None:
        super().__init__()
        self.members = nn.ModuleList(networks)
        self._logit_shifts = tuple(logit_shifts)

    def forward(self, found: tuple[Embedded, ...]) -> Float64[Tensor, "batch logit"]:
        """Compute the logits of each member from what its embedding found."""
        parts = zip(self.members, found, self._logit_shifts, strict=True)
        return torch.cat([network(each).double() + shift for network, each, shift in parts], dim=1)


class MeanOfMembers(nn.Module):
    """The mean over the members of their logits."""

    def __init__(self, logits: LogitsOfMembers) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, found: tuple[Embedded, ...]) -> Float64[Tensor, "batch task"]:
        """Compute the mean."""
        logits: Tensor = self.logits(found)
        by_member = logits.unflatten(1, (len(self.logits.members), -1))
        mean: Tensor = by_member.mean(dim=1)
        return mean


class EnsembleRanker(Ranker):
    """A ranker whose logits are the mean of those of its members, which keep their parameters.

    It has no table of its own: look at those of ``members``.

    Args:
        members: rankers of the same features and tasks.
        logit_shifts: what is added to the logits of each member before the mean; None adds nothing.

    Example:
        >>> from rankelastor.models.build import build_ranker
        >>> from rankelastor.models.mlp import MlpSettings
        >>> from rankelastor.schema import CategoricalFeature, FeatureSchema
        >>> schema = FeatureSchema((CategoricalFeature("site", 12),))
        >>> settings = MlpSettings(kind="mlp", embedding_dim=4, hidden_dims=(8,))
        >>> members = [build_ranker(settings, schema) for _ in range(3)]
        >>> ensemble = EnsembleRanker(members)
        >>> batch = Batch(
        ...     categorical=torch.ones(2, 1, dtype=torch.int32), numeric=torch.zeros(2, 0), labels=None, group=None
        ... )
        >>> mean = torch.stack([member(batch) for member in members]).mean(dim=0)
        >>> torch.allclose(ensemble(batch).float(), mean)
        True
    """

    def __init__(self, members: Sequence[Ranker], *, logit_shifts: Sequence[float] | None = None) -> None:
        shifts = [0.0] * len(members) if logit_shifts is None else logit_shifts
        embeddings: Any = EmbeddingsOfMembers([member.embedding for member in members])
        logits = LogitsOfMembers([member.network for member in members], logit_shifts=shifts)
        super().__init__(embedding=cast("FieldEmbedding", embeddings), network=MeanOfMembers(logits))

    @property
    def num_members(self) -> int:
        """Number of members."""
        network = self.network
        assert isinstance(network, MeanOfMembers), "the network of an ensemble"
        return len(network.logits.members)

    @property
    def side_by_side(self) -> Ranker:
        """The same members as a ranker of ``LogitsOfMembers``, before the mean."""
        network = self.network
        assert isinstance(network, MeanOfMembers), "the network of an ensemble"
        return Ranker(embedding=self.embedding, network=network.logits)
