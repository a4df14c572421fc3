"""Whole rankers: features -> field embeddings -> tokens -> blocks -> logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from torch import nn

from rankelastor.nn.block import Block

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from rankelastor.nn.embedding import FieldEmbedding
    from rankelastor.schema import Batch


class Backbone(nn.Module):
    """Tokenizer, blocks and head: field embeddings (batch, field, embedding_dim) -> logits (batch,).

    The places where the tokens can be observed have names, see ``points``.
    """

    def __init__(self, *, tokenizer: nn.Module, blocks: Sequence[Block], head: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    @property
    def points(self) -> dict[str, nn.Module]:
        """Names of the token matrices and the modules that put them out, in the order of computation.

        ``tokens``: after the tokenizer. ``block{i}.mixing``: after the mixing with its residual and its own norm,
        before the block's norm. ``block{i}.pffn``: after the per-token FFN with its residual.
        """
        points: dict[str, nn.Module] = {"tokens": self.tokenizer}
        for index, module in enumerate(self.blocks):
            block = cast("Block", module)
            points |= {f"block{index}.mixing": block.mixing, f"block{index}.pffn": block.pffn}
        return points

    def forward(self, embeddings: Float[Tensor, "batch field embedding_dim"]) -> Float[Tensor, " batch"]:
        """Logits of field embeddings."""
        tokens = self.tokenizer(embeddings)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(tokens)
        return logits


class Ranker(nn.Module):
    """Field embeddings and a backbone: a batch -> logits (batch,). The sigmoid stands outside."""

    def __init__(self, *, embedding: FieldEmbedding, backbone: Backbone) -> None:
        super().__init__()
        self.embedding = embedding
        self.backbone = backbone

    @property
    def points(self) -> dict[str, nn.Module]:
        """Names of the token matrices that can be observed; see ``Backbone.points``."""
        return self.backbone.points

    @property
    def num_dense_parameters(self) -> int:
        """Weights outside the embeddings, about the products of numbers that an example takes."""
        return sum(parameter.numel() for parameter in self.backbone.parameters())

    def forward(self, batch: Batch) -> Float[Tensor, " batch"]:
        """Logits of a batch."""
        logits: Tensor = self.backbone(self.embedding(batch.categorical, batch.numeric, batch.sequence))
        return logits
