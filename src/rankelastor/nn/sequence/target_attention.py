"""Target attention: each element of a sequence counts by how it fits the target."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rankelastor.nn.dice import Dice
from rankelastor.nn.init import init_linear_
from rankelastor.nn.sequence.layer import ReadOut, SequenceLayer
from rankelastor.nn.sizes import PositiveInt


class TargetAttention(SequenceLayer):
    """a_t h_t with a_t = unit([q, h_t, q - h_t, q o h_t]) for the target q: (batch, position, dim), to be summed.

    The unit is an MLP with one output: Linear -> activation for each hidden width, then Linear. By default there is no
    softmax, so that the size of the sum says how much of the history fits. Padding has weight 0.

    NOTE[OPEN]: the statistics of Dice are over all positions of the batch, padding included, as in FuxiCTR; the paper
    does not say.

    Args:
        embedding_dim: width of an element and of the target.
        hidden_dims: widths of the hidden layers of the unit.
        activation: activation of the unit; ``dice`` couples the examples of a batch, which are then not sliced.
        softmax: whether the weights of a sequence are passed through a softmax.

    Example:
        >>> layer = TargetAttention(embedding_dim=4, hidden_dims=[8])
        >>> layer(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.randn(2, 4)).shape
        torch.Size([2, 3, 4])

    Source: Zhou et al. 2018, Deep Interest Network, arXiv 1706.06978, equation 3.
    """

    read_out: ClassVar[ReadOut] = "sum"

    def __init__(
        self,
        *,
        embedding_dim: int,
        hidden_dims: Sequence[PositiveInt] = (64,),
        activation: Literal["dice", "prelu"] = "dice",
        softmax: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, next_width in pairwise([4 * embedding_dim, *hidden_dims]):
            layers += [nn.Linear(width, next_width), Dice(next_width) if activation == "dice" else nn.PReLU(next_width)]
        self.unit = nn.Sequential(*layers, nn.Linear([4 * embedding_dim, *hidden_dims][-1], 1))
        self.softmax = softmax
        init_linear_(self)

    def forward(
        self,
        elements: Float[Tensor, "batch position dim"],
        mask: Bool[Tensor, "batch position"],
        target: Float[Tensor, "batch dim"],
    ) -> Float[Tensor, "batch position dim"]:
        """Weight the elements."""
        query = target.unsqueeze(1).expand_as(elements)
        pairs = torch.cat([query, elements, query - elements, query * elements], dim=2)
        weights: Tensor = self.unit(pairs.flatten(0, 1)).view(mask.shape)
        if self.softmax:
            lowest = torch.finfo(weights.dtype).min
            weights = weights.masked_fill(~mask, lowest).softmax(dim=1)
        weights = weights.masked_fill(~mask, 0.0)
        return weights.unsqueeze(2) * elements
