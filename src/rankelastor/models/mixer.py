"""The network shared by the mixer family: tokenizer, blocks of mixing and per-token FFN, head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.nn.block import Block
from rankelastor.nn.embedding.embedded import Embedded


class MixerNetwork(nn.Module):
    """Tokenizer, blocks and head: embedded fields -> tokens (batch, token, dim) -> logits (batch, task)."""

    def __init__(self, *, tokenizer: nn.Module, blocks: Sequence[Block], head: nn.Module) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    @property
    def points(self) -> dict[str, nn.Module]:
        """Names of the token matrices and the modules that compute them, in order.

        ``tokens``: after the tokenizer. ``block{i}.mixing``: after the mixing with its residual and its own norm,
        before the block's norm. ``block{i}.pffn``: after the per-token FFN with its residual.
        """
        points: dict[str, nn.Module] = {"tokens": self.tokenizer}
        for index, module in enumerate(self.blocks):
            block = cast("Block", module)
            points |= {f"block{index}.mixing": block.mixing, f"block{index}.pffn": block.pffn}
        return points

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        tokens = self.tokenizer(embedded.fields)
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(tokens)
        return logits
