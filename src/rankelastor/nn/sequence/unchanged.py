"""The elements of a sequence as they are, of which the mean is taken."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor

from rankelastor.nn.sequence.layer import ReadOut, SequenceLayer


class UnchangedElements(SequenceLayer):
    """Return the elements as they are; their mean is what a sequence is without a sequence layer.

    Example:
        >>> import torch
        >>> elements = torch.ones(1, 2, 3)
        >>> torch.equal(UnchangedElements()(elements, torch.tensor([[True, True]]), torch.ones(1, 3)), elements)
        True
    """

    read_out: ClassVar[ReadOut] = "mean"

    def forward(
        self,
        elements: Float[Tensor, "batch position dim"],
        mask: Bool[Tensor, "batch position"],
        target: Float[Tensor, "batch dim"],
    ) -> Float[Tensor, "batch position dim"]:
        """Return the elements."""
        del mask, target
        return elements
