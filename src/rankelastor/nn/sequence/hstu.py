"""HSTU: attention without a softmax, gated, over the elements of a sequence with the target behind them."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import silu

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.init import EMBEDDING_STD, init_linear_
from rankelastor.nn.sequence.heads import append_target, join_heads, split_heads
from rankelastor.nn.sequence.layer import ReadOut, SequenceLayer
from rankelastor.nn.sizes import PositiveInt


class HstuEncoder(SequenceLayer):
    """HSTU layers over the elements and the target behind them; each place sees itself and the places before it.

    The vector of the target, the last one, stands for the sequence.

    Args:
        embedding_dim: width of an element and of the target.
        max_length: number of positions.
        num_layers: number of layers.
        num_heads: number of heads; it must divide the width of an embedding.
        scale: whether scores are divided by the root of a head's width.

    Example:
        >>> layer = HstuEncoder(embedding_dim=4, max_length=3)
        >>> layer(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.randn(2, 4)).shape
        torch.Size([2, 4, 4])

    Source: Zhai et al. 2024, Actions Speak Louder than Words, arXiv 2402.17152, section 3.
    """

    read_out: ClassVar[ReadOut] = "last"

    def __init__(
        self,
        *,
        embedding_dim: int,
        max_length: int,
        num_layers: PositiveInt = 1,
        num_heads: PositiveInt = 1,
        scale: bool = False,
    ) -> None:
        super().__init__()
        check_divides(embedding_dim, "the width of an embedding", num_heads, "sequence.num_heads", purpose="attention")
        self.layers = nn.ModuleList(
            HstuLayer(dim=embedding_dim, num_places=max_length + 1, num_heads=num_heads, scale=scale)
            for _ in range(num_layers)
        )

    def forward(
        self,
        elements: Float[Tensor, "batch position dim"],
        mask: Bool[Tensor, "batch position"],
        target: Float[Tensor, "batch dim"],
    ) -> Float[Tensor, "batch place dim"]:
        """Encode the elements and the target."""
        places, is_real = append_target(elements, mask, target)
        for layer in self.layers:
            places = layer(places, is_real)
        return places


class HstuLayer(nn.Module):
    """Linear(LN(A V) o U) + x with [U, V, Q, K] = SiLU(Linear(LN(x))) and A = SiLU(Q K^T + bias) / N, causal.

    N is the number of places; the bias is one learned number for each distance between two places. Padding is not seen.

    NOTE[OPEN]: the paper's equation divides no score by the root of the width, one public implementation does:
    ``scale``. The time bias is left out; gaps in time are an input of every sequence layer.

    Example:
        >>> HstuLayer(dim=4, num_places=3)(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)).shape
        torch.Size([2, 3, 4])
    """

    distance: Tensor
    is_later: Tensor

    def __init__(self, *, dim: int, num_places: int, num_heads: int = 1, scale: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.factor = (dim // num_heads) ** -0.5 if scale else 1.0
        self.norm = nn.LayerNorm(dim)
        self.maps = nn.Linear(dim, 4 * dim)
        self.bias = nn.Parameter(torch.empty(num_places))
        self.attended_norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        place = torch.arange(num_places)
        distance = place[:, None] - place
        self.register_buffer("distance", distance.clamp_min(0), persistent=False)
        self.register_buffer("is_later", distance < 0, persistent=False)
        nn.init.normal_(self.bias, std=EMBEDDING_STD)
        init_linear_(self)

    def forward(
        self, places: Float[Tensor, "batch place dim"], is_real: Bool[Tensor, "batch place"]
    ) -> Float[Tensor, "batch place dim"]:
        """Apply the layer."""
        gate, value, query, key = silu(self.maps(self.norm(places))).chunk(4, dim=2)
        value, query, key = (split_heads(each, num_heads=self.num_heads) for each in (value, query, key))
        scores = self.factor * (query @ key.transpose(2, 3)) + self.bias[self.distance]
        hidden = self.is_later | ~is_real[:, None, None, :]
        attention = (silu(scores) / len(self.bias)).masked_fill(hidden, 0.0)
        attended = self.attended_norm(join_heads(attention @ value))
        encoded: Tensor = self.out(attended * gate) + places
        return encoded
