"""One sequence from its elements to what the network receives: a vector, or a vector for each element."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.embedding.embedded import EmbeddedSequence
from rankelastor.nn.init import EMBEDDING_STD
from rankelastor.nn.sequence.layer import SequenceLayer
from rankelastor.nn.sequence.pooling import masked_mean

SequenceOutput = Literal["vector", "tokens"]


class SequenceEncoder(nn.Module):
    """layer(elements [+ positions] [+ time gaps]) of the newest elements: a vector, or one for each element.

    Args:
        layer: the sequence layer.
        embedding_dim: width of an element.
        max_length: number of the newest elements that are read; earlier ones are left out.
        output: ``vector`` (batch, dim), or ``tokens`` (batch, max_length, dim), zero where there is padding.
        positions: whether a learned vector for each position, counted from the newest element, is added.

    Example:
        >>> from rankelastor.nn.sequence.unchanged import UnchangedElements
        >>> encode = SequenceEncoder(UnchangedElements(), embedding_dim=1, max_length=2)
        >>> sequence = EmbeddedSequence(torch.tensor([[[1.0], [2.0], [4.0]]]), torch.ones(1, 3, dtype=torch.bool))
        >>> encode(sequence, torch.zeros(1, 1)).tolist()  # the mean of the newest two
        [[3.0]]
    """

    def __init__(
        self,
        layer: SequenceLayer,
        *,
        embedding_dim: int,
        max_length: int,
        output: SequenceOutput = "vector",
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.read_out = layer.read_out
        self.output = output
        self.max_length = max_length
        self.positions = nn.Parameter(torch.empty(max_length, embedding_dim)) if positions else None
        if self.positions is not None:
            nn.init.normal_(self.positions, std=EMBEDDING_STD)

    def forward(
        self,
        sequence: EmbeddedSequence,
        target: Float[Tensor, "batch dim"],
        gaps: EmbeddedSequence | None = None,
    ) -> Float[Tensor, "batch *token dim"]:
        """Encode a sequence.

        Args:
            sequence: the elements.
            target: the vector of the feature that the sequence is read for.
            gaps: a sequence of the same length whose elements are added, such as gaps in time; or None.
        """
        elements, mask = sequence.elements[:, -self.max_length :], sequence.mask[:, -self.max_length :]
        if self.positions is not None:
            elements = elements + self.positions
        if gaps is not None:
            elements = elements + gaps.elements[:, -self.max_length :]
        is_real = mask.unsqueeze(2)
        elements = elements.masked_fill(~is_real, 0.0)
        encoded: Tensor = self.layer(elements, mask, target)
        if self.output == "tokens":
            return encoded[:, : self.max_length].masked_fill(~is_real, 0.0)
        match self.read_out:
            case "mean":
                return masked_mean(encoded, mask)
            case "sum":
                return encoded.sum(dim=1)
            case "last":
                return encoded[:, -1]
