"""RankMixer as its own paper has it: norms after the sums, a map per slice of the fields, a pooled head, ReLU experts.

Source: Zhu et al. 2025, RankMixer: Scaling Up Ranking Models in Industrial Recommenders, arXiv 2507.15551.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from rankelastor.models.heads import HEADS, HeadSettings
from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.tokenizers import TOKENIZERS, TokenizerSettings, tokenizer_of
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.ffn.relu_experts import ReluExperts
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.residual_norm import PostNormResidual
from rankelastor.schema import FeatureSchema

EXPERTS = LayerChoice({"relu": ReluExperts}, given=["num_tokens", "token_dim"])

if TYPE_CHECKING:
    ReluExpertsSettings = LayerSettings
else:
    ReluExpertsSettings = EXPERTS.classes["relu"]


class RankMixerPaperSettings(RankerSettings):
    """RankMixer of its own paper; `kind: rankmixer` is the form of the code published with RankElastor.

    With ``relu_experts`` each per-token FFN is a sparse mixture of them.
    """

    kind: Literal["rankmixer_paper"]
    num_tokens: Annotated[PositiveInt, Field(description="Number of tokens, T; it divides token_dim.")]
    token_dim: Annotated[PositiveInt, Field(description="Width of each token, D.")]
    num_blocks: Annotated[NonNegativeInt, Field(description="Number of blocks of mixing and per-token FFN.")] = 2
    expansion: Annotated[PositiveInt, Field(description="Hidden width of the per-token FFN over token_dim, k.")] = 4
    relu_experts: Annotated[
        ReluExpertsSettings | None, Field(description="Experts in place of each per-token FFN, or none.")
    ] = None
    tokenizer: Annotated[TokenizerSettings, Field(description="How field embeddings become tokens.")] = (
        TOKENIZERS.settings("per_token_split")
    )
    head: Annotated[HeadSettings, Field(description="How tokens become one logit per task.")] = HEADS.settings(
        "pooled", {"hidden_dims": (64,), "norm": False}
    )

    def network(self, schema: FeatureSchema) -> RankMixerPaperNetwork:
        """Make tokenizer, blocks and head."""
        sizes = {"num_tokens": self.num_tokens, "token_dim": self.token_dim}
        blocks = range(self.num_blocks)
        return RankMixerPaperNetwork(
            tokenizer=tokenizer_of(self.tokenizer, schema, embedding_dim=self.embedding_dim, **sizes),
            mixings=[SplitMixing(**sizes) for _ in blocks],
            ffns=[PostNormResidual(self._ffn(sizes), nn.LayerNorm(self.token_dim)) for _ in blocks],
            head=HEADS.build(self.head, sizes | {"num_tasks": len(schema.tasks)}),
        )

    def _ffn(self, sizes: dict[str, int]) -> nn.Module:
        if self.relu_experts is not None:
            return EXPERTS.build(self.relu_experts, sizes)
        width = self.token_dim
        return PerTokenMlp(num_tokens=self.num_tokens, token_dim=width, hidden_dims=[self.expansion * width])


class RankMixerPaperNetwork(nn.Module):
    """Blocks S = LN(Mix(X) + X), X' = LN(PFFN(S) + S) between tokenizer and head: embedded fields -> (batch, task).

    Where experts have a router for training beside that of inference, the batch is doubled while training, and the
    result is (batch, task, 2): the logits by the router of inference, then those by the router of training, both of
    which learn from the labels.

    Args:
        tokenizer: maps (batch, field, embedding_dim) to (batch, token, dim).
        mixings: split mixing with residual and norm, one per block.
        ffns: per-token FFN with residual and norm, one per block.
        head: maps (batch, token, dim) to (batch, task).

    Source: arXiv 2507.15551, section 3.
    """

    parts_learn_from = "labels"

    def __init__(
        self, *, tokenizer: nn.Module, mixings: Sequence[nn.Module], ffns: Sequence[nn.Module], head: nn.Module
    ) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.tokenizer = tokenizer
        self.mixings = nn.ModuleList(mixings)
        self.ffns = nn.ModuleList(ffns)
        self.head = head
        experts = [module for module in self.modules() if isinstance(module, ReluExperts)]
        self.has_two_routers = any(layer.training_router is not None for layer in experts)

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices, in order: field embeddings, tokens, the mixing and the FFN of each block."""
        points: dict[str, nn.Module] = {RAW_STAGE: self.field_matrix, "tokens": self.tokenizer}
        for index, (mixing, ffn) in enumerate(zip(self.mixings, self.ffns, strict=True)):
            points |= {f"block{index}.mixing": mixing, f"block{index}.pffn": ffn}
        return points

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order; a stage combines all blocks."""
        return {
            "tokenizer": [self.tokenizer],
            "mixing": [*self.mixings],
            "FFN": [*self.ffns],
            "head": [self.head],
        }

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training with two routers those of either."""
        tokens = self.tokenizer(self.field_matrix(embedded.fields))
        doubled = self.training and self.has_two_routers
        if doubled:
            tokens = torch.cat([tokens, tokens])
        for mixing, ffn in zip(self.mixings, self.ffns, strict=True):
            tokens = ffn(mixing(tokens))
        logits: Tensor = self.head(tokens)
        return torch.stack(logits.chunk(2), dim=2) if doubled else logits
