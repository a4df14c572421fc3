"""A transformer encoder over the elements of a sequence with the target beside them."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.dropout import Dropout
from rankelastor.nn.init import init_linear_
from rankelastor.nn.sequence.heads import append_target, join_heads, split_heads
from rankelastor.nn.sequence.layer import ReadOut, SequenceLayer
from rankelastor.nn.sizes import DropoutRate, PositiveInt


class TransformerEncoder(SequenceLayer):
    """Self-attention and an FFN, ``num_layers`` times, over the elements and the target behind them, then LayerNorm.

    A layer is x + attention(LN(x)), then x + FFN(LN(x)), with FFN = W2 ReLU(W1 x + b1) + b2. Every place attends to
    every place that is not padding. The vector of the target, the last one, stands for the sequence.

    NOTE[DIFF]: Behaviour Sequence Transformer norms after the sums and concatenates the vectors of all places. Here
    norms stand before, which trains without a warm-up, and the vectors of the elements are an output of their own.

    Args:
        embedding_dim: width of an element and of the target.
        num_layers: number of layers.
        num_heads: number of heads; it must divide the width of an embedding.
        ffn_dim: hidden width of the FFN.
        dropout: dropout rate behind attention and behind the hidden layer.

    Example:
        >>> layer = TransformerEncoder(embedding_dim=4, num_heads=2)
        >>> layer(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.randn(2, 4)).shape
        torch.Size([2, 4, 4])

    Source: Chen et al. 2019, Behavior Sequence Transformer, arXiv 1905.06874.
    """

    read_out: ClassVar[ReadOut] = "last"

    def __init__(
        self,
        *,
        embedding_dim: int,
        num_layers: PositiveInt = 1,
        num_heads: PositiveInt = 1,
        ffn_dim: PositiveInt = 64,
        dropout: DropoutRate = 0.0,
    ) -> None:
        super().__init__()
        check_divides(embedding_dim, "the width of an embedding", num_heads, "sequence.num_heads", purpose="attention")
        self.layers = nn.ModuleList(
            TransformerLayer(dim=embedding_dim, num_heads=num_heads, ffn_dim=ffn_dim, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embedding_dim)

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
        encoded: Tensor = self.norm(places)
        return encoded


class TransformerLayer(nn.Module):
    """x + attention(LN(x)), then x + FFN(LN(x)); padding is not attended to.

    Example:
        >>> layer = TransformerLayer(dim=4, num_heads=2, ffn_dim=8, dropout=0.0)
        >>> layer(torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, *, dim: int, num_heads: int, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(dim)
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.ffn_norm = nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn_dim), nn.ReLU(), Dropout(dropout), nn.Linear(ffn_dim, dim))
        self.dropout = Dropout(dropout)
        init_linear_(self)

    def forward(
        self, places: Float[Tensor, "batch place dim"], is_real: Bool[Tensor, "batch place"]
    ) -> Float[Tensor, "batch place dim"]:
        """Apply the layer."""
        x = self.attention_norm(places)
        query, key, value = (
            split_heads(each(x), num_heads=self.num_heads) for each in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
        scores = scores.masked_fill(~is_real[:, None, None, :], -torch.inf)
        places = places + self.dropout(self.out(join_heads(scores.softmax(dim=3) @ value)))
        encoded: Tensor = places + self.ffn(self.ffn_norm(places))
        return encoded
