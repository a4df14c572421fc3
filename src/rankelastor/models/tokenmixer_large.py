"""TokenMixer-Large: tokens are mixed in heads and put back, with residuals and losses across the blocks.

Source: TokenMixer-Large, arXiv 2602.06563.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, cast

import torch
from annotated_types import Ge
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from rankelastor.models.heads import HEADS, HeadSettings
from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.tokenizers import TOKENIZERS, TokenizerSettings, tokenizer_of
from rankelastor.nn.divisibility import check_divides
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.ffn.top_k_experts import TopKExperts
from rankelastor.nn.head import PooledHead
from rankelastor.nn.mixing.heads import RevertedHeadMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.projection import Projection
from rankelastor.nn.tokenizer.global_token import GlobalTokenFirst, MlpToken
from rankelastor.schema import FeatureSchema

EXPERTS = LayerChoice({"top_k": TopKExperts}, given=["num_tokens", "token_dim", "hidden_dim", "down_scale"])

if TYPE_CHECKING:
    TopKExpertsSettings = LayerSettings
else:
    TopKExpertsSettings = EXPERTS.classes["top_k"]


class TokenMixerLargeSettings(RankerSettings):
    """TokenMixer-Large: a global token, blocks that mix in heads and revert, SwiGLU per head and per token.

    NOTE[OPEN]: sources differ on whether .01 is the factor of the initial deviation or variance of the last maps; here
    ``down_scale`` is one of the deviation, and .1 the other reading. The weight of the auxiliary losses, and whether
    their logits have maps of their own, are open: here each inner block has a linear map of its own. The block's two
    SwiGLUs both become mixtures where there are ``experts``.
    """

    kind: Literal["tokenmixer_large"]
    num_tokens: Annotated[
        int, Ge(2), Field(description="Number of tokens, T, the global one included; the tokenizer makes the others.")
    ]
    token_dim: Annotated[PositiveInt, Field(description="Width of each token, D.")]
    num_blocks: Annotated[PositiveInt, Field(description="Number of blocks.")] = 2
    num_heads: Annotated[PositiveInt, Field(description="Number of heads, H; it divides token_dim.")] = 2
    head_hidden_dim: Annotated[PositiveInt, Field(description="Hidden width of the SwiGLU of each head.")]
    token_hidden_dim: Annotated[PositiveInt, Field(description="Hidden width of the SwiGLU of each token.")]
    down_scale: Annotated[
        PositiveFloat, Field(description="Factor of the initial values of the last map of each SwiGLU.")
    ] = 0.01
    experts: Annotated[TopKExpertsSettings | None, Field(description="Experts in place of each SwiGLU, or none.")] = (
        None
    )
    skip: Annotated[
        PositiveInt | None,
        Field(
            description="Number of blocks that a residual across blocks spans, usually 2 or 3, or none. It never "
            "reaches the last block, so that it acts only with more blocks than these; with the 2 blocks of the "
            "default there is none."
        ),
    ] = 2
    auxiliary_weight: Annotated[
        NonNegativeFloat, Field(description="Weight of the loss of each inner block's logits; 0: no such losses.")
    ] = 0.1
    global_hidden_dims: Annotated[
        tuple[PositiveInt, ...], Field(description="Hidden widths of the MLP that makes the global token.")
    ] = ()
    tokenizer: Annotated[TokenizerSettings, Field(description="How field embeddings become the other tokens.")] = (
        TOKENIZERS.settings("per_token_split")
    )
    head: Annotated[HeadSettings, Field(description="How tokens become one logit per task.")] = HEADS.settings(
        "pooled", {"hidden_dims": (64,), "norm": False}
    )

    def network(self, schema: FeatureSchema) -> TokenMixerLargeNetwork:
        """Make tokenizer, blocks, auxiliary maps and head."""
        sizes, num_tasks = {"num_tokens": self.num_tokens, "token_dim": self.token_dim}, len(schema.tasks)
        num_inner = self.num_blocks - 1 if self.auxiliary_weight else 0
        return TokenMixerLargeNetwork(
            tokenizer=self._tokenizer(schema),
            blocks=[self._block() for _ in range(self.num_blocks)],
            auxiliary=[PooledHead(token_dim=self.token_dim, num_tasks=num_tasks) for _ in range(num_inner)],
            head=HEADS.build(self.head, sizes | {"num_tasks": num_tasks}),
            skip=self.skip,
            part_weight=self.auxiliary_weight,
        )

    def _tokenizer(self, schema: FeatureSchema) -> GlobalTokenFirst:
        fields = {"num_fields": schema.num_fields, "embedding_dim": self.embedding_dim}
        others = {"num_tokens": self.num_tokens - 1, "token_dim": self.token_dim}
        mlp = partial(Projection, hidden_dims=self.global_hidden_dims)
        return GlobalTokenFirst(
            first=MlpToken(**fields, token_dim=self.token_dim, projection=mlp),
            norm=RMSNorm(schema.num_fields * self.embedding_dim),
            others=tokenizer_of(self.tokenizer, schema, embedding_dim=self.embedding_dim, **others),
        )

    def _block(self) -> TokenMixerLargeBlock:
        head_dim = check_divides(
            self.token_dim, "token_dim", self.num_heads, "num_heads", purpose="splitting tokens into heads"
        )
        between = self._swiglu(self.num_heads, self.num_tokens * head_dim, self.head_hidden_dim)
        return TokenMixerLargeBlock(
            mixing=RevertedHeadMixing(
                num_tokens=self.num_tokens, token_dim=self.token_dim, num_heads=self.num_heads, ffn=between
            ),
            ffn=self._swiglu(self.num_tokens, self.token_dim, self.token_hidden_dim),
            token_dim=self.token_dim,
        )

    def _swiglu(self, num_tokens: int, token_dim: int, hidden_dim: int) -> nn.Module:
        sizes = {"num_tokens": num_tokens, "token_dim": token_dim, "hidden_dim": hidden_dim}
        if self.experts is None:
            return PerTokenSwiGlu(**sizes, down_scale=self.down_scale)
        return EXPERTS.build(self.experts, sizes | {"down_scale": self.down_scale})


class OuterResidual(nn.Module):
    """ffn(RMSNorm(Y)) + X: the residual is another tensor than the FFN's input.

    Example:
        >>> layer = OuterResidual(nn.Identity(), dim=2)
        >>> layer(torch.full((1, 1, 2), 7.0), torch.full((1, 1, 2), 3.0)).tolist()
        [[[4.0, 4.0]]]
    """

    def __init__(self, ffn: nn.Module, *, dim: int) -> None:
        super().__init__()
        self.norm = RMSNorm(dim)
        self.ffn = ffn

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], residual: Float[Tensor, "batch token dim"]
    ) -> Float[Tensor, "batch token dim"]:
        """Apply the FFN to the normalised tokens and add the residual."""
        changed: Tensor = self.ffn(self.norm(tokens))
        return changed + residual


class TokenMixerLargeBlock(nn.Module):
    """Xr = revert(pSwiGLU1(RN(H)) + H), H = split(X); X' = pSwiGLU2(RN(Xr)) + X: the residual is the block's input.

    Args:
        mixing: maps X to Xr.
        ffn: per-token FFN without a residual.
        token_dim: D.
    """

    def __init__(self, *, mixing: RevertedHeadMixing, ffn: nn.Module, token_dim: int) -> None:
        super().__init__()
        self.mixing = mixing
        self.pffn = OuterResidual(ffn, dim=token_dim)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens, then apply the FFN to each."""
        out: Tensor = self.pffn(self.mixing(tokens), tokens)
        return out


class TokenMixerLargeNetwork(nn.Module):
    """Tokenizer, blocks with residuals across them, head: embedded fields -> logits (batch, task).

    X^0 are the tokens and X^l is the output of block l of L. For each l from r = ``skip`` to L - 1, X^(l-r) is added to
    X^l; the last block's output stays as it is. While training with auxiliary maps the result is (batch, task, L): the
    logits, then those of each inner block's mean token, which learn from the labels by ``part_weight``.

    NOTE[OPEN]: "X^l += X^(l-r), never into the last block" is read as every l, with X^(l-r) after its own addition.

    Args:
        tokenizer: maps (batch, field, embedding_dim) to (batch, token, dim).
        blocks: at least one block.
        auxiliary: maps (batch, token, dim) to (batch, task) for each block but the last, or nothing.
        head: maps (batch, token, dim) to (batch, task).
        skip: r, or None.
        part_weight: weight of the loss of each inner block's logits.

    Source: arXiv 2602.06563, section 3.
    """

    parts_learn_from = "labels"

    def __init__(
        self,
        *,
        tokenizer: nn.Module,
        blocks: Sequence[TokenMixerLargeBlock],
        auxiliary: Sequence[PooledHead],
        head: nn.Module,
        skip: int | None,
        part_weight: float,
    ) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.tokenizer = tokenizer
        self.blocks = nn.ModuleList(blocks)
        self.auxiliary = nn.ModuleList(auxiliary)
        self.head = head
        self.skip = skip
        self.part_weight = part_weight

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices, in order: field embeddings, tokens, mixing and FFN of each block.

        The FFN's is the block's output before residuals across blocks.
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
            "mixing": [block.mixing for block in self._blocks],
            "FFN": [block.pffn for block in self._blocks],
            "head": [self.head, *self.auxiliary],
        }

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task *part"]:
        """Compute the logits of embedded features, and while training those of the inner blocks."""
        states = [self.tokenizer(self.field_matrix(embedded.fields))]
        for number, block in enumerate(self.blocks, 1):
            tokens = block(states[-1])
            if self.skip is not None and self.skip <= number < len(self.blocks):
                tokens = tokens + states[number - self.skip]
            states.append(tokens)
        logits: Tensor = self.head(states[-1])
        if not self.training or not len(self.auxiliary):
            return logits
        inner = [head(tokens) for head, tokens in zip(self.auxiliary, states[1:-1], strict=True)]
        return torch.stack([logits, *inner], dim=2)

    @property
    def _blocks(self) -> list[TokenMixerLargeBlock]:
        return [cast("TokenMixerLargeBlock", block) for block in self.blocks]
