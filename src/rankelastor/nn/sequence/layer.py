"""What every sequence layer is: elements, their mask and a target -> one vector a position."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

ReadOut = Literal["mean", "sum", "last"]
"""How the vectors of a layer become one: their mean or sum over the elements, or the last one, the target's."""


class SequenceLayer(nn.Module, ABC):
    """Encode the elements of a sequence, seen from a target: (batch, position, dim) -> (batch, encoded, dim).

    A layer returns one vector a position; one whose ``read_out`` is ``last`` puts the target behind the elements and
    returns a vector for it, too. What it returns for padding is not used.
    """

    read_out: ClassVar[ReadOut]

    @abstractmethod
    def forward(
        self,
        elements: Float[Tensor, "batch position dim"],
        mask: Bool[Tensor, "batch position"],
        target: Float[Tensor, "batch dim"],
    ) -> Float[Tensor, "batch encoded dim"]:
        """Encode the elements.

        Args:
            elements: one vector a position, oldest first, padded on the left.
            mask: True where the position holds an element.
            target: the vector of the feature that the sequence is read for.
        """
