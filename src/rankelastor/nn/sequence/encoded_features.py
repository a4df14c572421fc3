"""Sequences that pass through layers of their own before a network receives the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.sequence.encoder import SequenceEncoder


@dataclass(frozen=True)
class SequencePlace:
    """Where a sequence stands among the features.

    Attributes:
        name: name of the sequence, for points.
        sequence: its index among the sequences.
        field: its index among the fields, where its mean stands.
        target: index of its target among the fields.
        gaps: index of the sequence of its time gaps among the sequences; None: it has none.
    """

    name: str
    sequence: int
    field: int
    target: int
    gaps: int | None = None


class SequenceNetwork(nn.Module):
    """network(fields with encoded sequences): embedded features -> logits (batch, task).

    The vector of an encoder takes the place of the mean of its sequence among the fields; the tokens of encoders stand
    behind all fields, where the mean stays, too.

    Args:
        encoders: one for each place.
        places: where the sequences stand.
        network: receives the fields, and the tokens behind them.

    Example:
        >>> from rankelastor.nn.embedding.embedded import EmbeddedSequence
        >>> from rankelastor.nn.sequence.target_attention import TargetAttention
        >>> encoder = SequenceEncoder(TargetAttention(embedding_dim=4), embedding_dim=4, max_length=3)
        >>> place = SequencePlace("history", sequence=0, field=1, target=0)
        >>> head = nn.Sequential(nn.Flatten(), nn.Linear(8, 1))
        >>> class Head(nn.Module):
        ...     def forward(self, embedded):
        ...         return embedded.fields.sum(dim=(1, 2)).unsqueeze(1)
        >>> network = SequenceNetwork(encoders=[encoder], places=[place], network=Head())
        >>> history = EmbeddedSequence(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
        >>> network(Embedded(torch.randn(2, 2, 4), (history,))).shape
        torch.Size([2, 1])
    """

    def __init__(
        self, *, encoders: Sequence[SequenceEncoder], places: Sequence[SequencePlace], network: nn.Module
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.places = tuple(places)
        self.network = network

    @property
    def points(self) -> Mapping[str, nn.Module]:
        """The layer of each sequence, ``sequence.NAME``, which returns (position, dim), then those of the network."""
        layers = {
            f"sequence.{place.name}": cast("SequenceEncoder", encoder).layer
            for place, encoder in zip(self.places, self.encoders, strict=True)
        }
        inner: Mapping[str, nn.Module] = getattr(self.network, "points", {})
        return {**layers, **inner}

    @property
    def stages(self) -> Mapping[str, Sequence[nn.Module]]:
        """The sequences, then the stages of the network."""
        inner: Mapping[str, Sequence[nn.Module]] = getattr(self.network, "stages", {"network": [self.network]})
        return {"sequences": list(self.encoders), **inner}

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features."""
        fields, sequences = embedded.fields, embedded.sequences
        vectors, tokens = list(fields.unbind(1)), []
        for place, encoder in zip(self.places, self.encoders, strict=True):
            gaps = None if place.gaps is None else sequences[place.gaps]
            encoded = encoder(sequences[place.sequence], fields[:, place.target], gaps)
            if encoded.dim() == 3:  # noqa: PLR2004 - (batch, position, dim)
                tokens.append(encoded)
            else:
                vectors[place.field] = encoded
        joined = torch.cat([torch.stack(vectors, dim=1).to(fields.dtype), *tokens], dim=1)
        logits: Tensor = self.network(Embedded(joined, sequences))
        return logits
