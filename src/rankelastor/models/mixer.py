"""The mixer family: tokenizer, blocks of mixing and per-token FFN, head; shared by RankMixer and RankElastor."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Self, cast

from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from rankelastor.models.ffns import FFNS, FfnSettings
from rankelastor.models.heads import HEADS, HeadSettings
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.mixings import MIXINGS, ROTATIONS, MixingSettings, RotationSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.tokenizers import TokenizerSettings, tokenizer_of
from rankelastor.nn.block import Block
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.interaction.first_order import split_first_order
from rankelastor.schema import FeatureSchema

MIXING_MEANING = "The mixing of each block, the part in which tokens reach one another."
"""Description of the setting ``mixing``, whose default differs from model to model."""


class MixerSettings(RankerSettings, ABC):
    """Field embeddings, a tokenizer, ``num_blocks`` blocks of mixing and per-token FFN, and a head."""

    num_tokens: PositiveInt = Field(description="Number of tokens, T.")
    token_dim: PositiveInt = Field(description="Width of each token, D.")
    num_blocks: NonNegativeInt = Field(2, description="Number of blocks of mixing and per-token FFN.")
    tokenizer: TokenizerSettings = Field(description="How field embeddings become tokens.")
    mixing: MixingSettings = Field(description=MIXING_MEANING)
    mixings: tuple[MixingSettings, ...] = Field(
        (), description="The mixing of each block, one for each, in place of `mixing`; empty if all are alike."
    )
    rotation: RotationSettings | None = Field(None, description="Rotation of the tokens before each mixing, or none.")
    ffn: FfnSettings = Field(description="The per-token FFN of each block: every token has its own weights.")
    head: HeadSettings = Field(HEADS.settings("mlp"), description="How tokens become one logit per task.")
    first_order: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Whether weights of first order are added to the logits, one for each value of a field as in a "
        "linear model; they are a further column of the embedding rows.",
    )

    @model_validator(mode="after")
    def _check_mixings(self) -> Self:
        if self.mixings and len(self.mixings) != self.num_blocks:
            raise ValueError(
                f"mixings must hold one mixing for each of num_blocks = {self.num_blocks} blocks, but "
                f"{len(self.mixings)} were given; try num_blocks={len(self.mixings)}"
            )
        return self

    @property
    def mixing_of_blocks(self) -> tuple[LayerSettings, ...]:
        """Mixing of each block."""
        return self.mixings or (self.mixing,) * self.num_blocks

    def embedding_width(self, schema: FeatureSchema) -> int:
        """Width of the rows: ``embedding_dim``, and one weight per task if there are weights of first order."""
        return self.embedding_dim + (len(schema.tasks) if self.first_order else 0)

    def network(self, schema: FeatureSchema) -> MixerNetwork:
        """Make tokenizer, blocks and head."""
        sizes = {"num_tokens": self.num_tokens, "token_dim": self.token_dim}
        return MixerNetwork(
            tokenizer=tokenizer_of(self.tokenizer, schema, embedding_dim=self.embedding_dim, **sizes),
            blocks=[self._block(mixing, sizes) for mixing in self.mixing_of_blocks],
            head=HEADS.build(self.head, sizes | {"num_tasks": len(schema.tasks)}),
            embedding_dim=self.embedding_dim if self.first_order else None,
        )

    def _block(self, mixing: LayerSettings, sizes: dict[str, int]) -> Block:
        return Block(
            mixing=MIXINGS.build(mixing, sizes),
            ffn=FFNS.build(self.ffn, sizes),
            token_dim=self.token_dim,
            rotation=None if self.rotation is None else ROTATIONS.build(self.rotation, sizes),
        )


class MixerNetwork(nn.Module):
    """Tokenizer, blocks and head: embedded fields -> tokens (batch, token, dim) -> logits (batch, task).

    Args:
        tokenizer: field embeddings -> tokens.
        blocks: tokens -> tokens, one after the other.
        head: tokens -> logits.
        embedding_dim: width of an embedding if the columns behind it are weights of first order, whose sum is added to
            the logits; None if there are none.
    """

    def __init__(
        self, *, tokenizer: nn.Module, blocks: Sequence[Block], head: nn.Module, embedding_dim: int | None = None
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.field_matrix = FieldMatrix()
        self.tokenizer = tokenizer
        self.blocks = nn.ModuleList(blocks)
        self.head = head

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute the token matrices, by name and in order.

        ``fields``: the field embeddings before everything else (field, e). ``tokens``: the tokenizer.
        ``block{i}.mixing``: the mixing with its residual and its own norm, before the norm of the block.
        ``block{i}.pffn``: the per-token FFN with its residual.
        """
        points: dict[str, nn.Module] = {RAW_STAGE: self.field_matrix, "tokens": self.tokenizer}
        for index, block in enumerate(self._blocks):
            points |= {f"block{index}.mixing": block.mixing, f"block{index}.pffn": block.pffn}
        return points

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order; a stage combines all blocks."""
        return {
            "tokenizer": [self.tokenizer],
            "mixing": [part for block in self._blocks for part in (block.rotation, block.mixing) if part is not None],
            "block norms": [block.norm for block in self._blocks],
            "FFN": [block.pffn for block in self._blocks],
            "head": [self.head],
        }

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        if self.embedding_dim is None:
            return self._logits(embedded.fields)
        fields, weights = split_first_order(embedded.fields, embedding_dim=self.embedding_dim)
        return self._logits(fields) + weights.sum(dim=1)

    def _logits(self, fields: Float[Tensor, "batch field dim"]) -> Float[Tensor, "batch task"]:
        tokens = self.tokenizer(self.field_matrix(fields))
        for block in self.blocks:
            tokens = block(tokens)
        logits: Tensor = self.head(tokens)
        return logits

    @property
    def _blocks(self) -> list[Block]:
        return [cast("Block", block) for block in self.blocks]
