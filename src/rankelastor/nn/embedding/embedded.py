"""The embedded features that a network receives."""

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor


class EmbeddedSequence(NamedTuple):
    """The elements of one sequence feature, padded on the left.

    Attributes:
        elements: one vector per position; zero where there is padding.
        mask: True where the position holds an element.
    """

    elements: Float[Tensor, "batch position embedding_dim"]
    mask: Bool[Tensor, "batch position"]


class Embedded(NamedTuple):
    """The embedded features of a batch.

    Attributes:
        fields: one vector per feature in declared order; a sequence is represented by the mean of its elements.
        sequences: the elements of the sequence features in declared order, for networks that use single elements.
        offset: what is added to the logits; None adds nothing. ``WithOffset`` adds it, and no other network reads it.
    """

    fields: Float[Tensor, "batch field embedding_dim"]
    sequences: tuple[EmbeddedSequence, ...] = ()
    offset: Float[Tensor, "batch task"] | None = None
