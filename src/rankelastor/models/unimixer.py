"""UniMixer: learned doubly stochastic maps in the place of a fixed mixing; its Lite form shares their scores.

Source: UniMixer, arXiv 2604.00590; SiameseNorm, arXiv 2602.08064.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self, cast

from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from rankelastor.models.heads import HEADS, HeadSettings
from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.tokenizers import TokenizerSettings, tokenizer_of
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.ffn.residual import ResidualFfn
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.mixing.unimixer import LiteUniMixing, UniMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.residual_norm import PostNormResidual
from rankelastor.schema import FeatureSchema

UNI_MIXINGS = LayerChoice({"full": UniMixing, "lite": LiteUniMixing}, given=["num_tokens", "token_dim"])

if TYPE_CHECKING:
    UniMixingSettings = LayerSettings
else:
    UniMixingSettings = UNI_MIXINGS.annotation


class UniMixerSettings(RankerSettings):
    """UniMixer: blocks of doubly stochastic mixing and per-token SwiGLU; `uni_mixing: {kind: lite}` is UniMixer-Lite.

    NOTE[OPEN]: whether the residual and the norm around the mixing stay when SiameseNorm is on. They do by default; the
    public code leaves them out, which is ``inner_residual: false``.
    """

    kind: Literal["unimixer"]
    num_tokens: Annotated[PositiveInt, Field(description="Number of tokens, T.")]
    token_dim: Annotated[PositiveInt, Field(description="Width of each token, D.")]
    num_blocks: Annotated[PositiveInt, Field(description="Number of blocks of mixing and per-token FFN.")] = 2
    uni_mixing: Annotated[UniMixingSettings, Field(description="The mixing of each block; `lite` is UniMixer-Lite.")]
    hidden_dim: Annotated[PositiveInt, Field(description="Hidden width of the SwiGLU of each token.")]
    siamese_norm: Annotated[
        bool, Field(description="Whether two streams, one with norms and one without, run through the blocks.")
    ] = True
    inner_residual: Annotated[
        bool, Field(description="Whether a residual and a norm stand around the mixing; without SiameseNorm they must.")
    ] = True
    tokenizer: Annotated[TokenizerSettings, Field(description="How field embeddings become tokens.")]
    head: Annotated[HeadSettings, Field(description="How tokens become one logit per task.")] = HEADS.settings("mlp")

    @model_validator(mode="after")
    def _check_residual(self) -> Self:
        if not (self.siamese_norm or self.inner_residual):
            raise ValueError(
                "inner_residual must be true without siamese_norm, since nothing else would carry the tokens past a "
                "mixing, but false was given; try inner_residual=true"
            )
        return self

    def network(self, schema: FeatureSchema) -> UniMixerNetwork:
        """Make tokenizer, blocks, norms and head."""
        sizes = {"num_tokens": self.num_tokens, "token_dim": self.token_dim}
        return UniMixerNetwork(
            tokenizer=tokenizer_of(self.tokenizer, schema, embedding_dim=self.embedding_dim, **sizes),
            blocks=[self._block(sizes) for _ in range(self.num_blocks)],
            siamese=SiameseNorm(num_blocks=self.num_blocks, dim=self.token_dim) if self.siamese_norm else None,
            head=HEADS.build(self.head, sizes | {"num_tasks": len(schema.tasks)}),
        )

    def _block(self, sizes: dict[str, int]) -> UniMixerBlock:
        mixing = UNI_MIXINGS.build(self.uni_mixing, sizes)
        ffn = PerTokenSwiGlu(**sizes, hidden_dim=self.hidden_dim)
        around = PostNormResidual(mixing, RMSNorm(self.token_dim)) if self.inner_residual else mixing
        return UniMixerBlock(mixing=around, ffn=ffn)


class UniMixerBlock(nn.Module):
    """O = RMSNorm(X + mixing(X)), or mixing(X) alone; then O + pSwiGLU(O).

    Args:
        mixing: the mixing with its residual and norm, or without.
        ffn: per-token FFN without its residual.
    """

    def __init__(self, *, mixing: nn.Module, ffn: nn.Module) -> None:
        super().__init__()
        self.mixing = mixing
        self.pffn = ResidualFfn(ffn)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Mix the tokens, then apply the FFN to each."""
        out: Tensor = self.pffn(self.mixing(tokens))
        return out


class SiameseNorm(nn.Module):
    """P = Q = X; for each block O = block(P + RN(Q)), P <- RN(P + O), Q <- Q + O; at the end P + RN(Q).

    P is normalised after each sum, Q never, and each norm has its own gain.

    Args:
        num_blocks: number of blocks.
        dim: width of the last axis.

    Source: SiameseNorm, arXiv 2602.08064.
    """

    def __init__(self, *, num_blocks: int, dim: int) -> None:
        super().__init__()
        self.before = nn.ModuleList(RMSNorm(dim) for _ in range(num_blocks + 1))
        self.after = nn.ModuleList(RMSNorm(dim) for _ in range(num_blocks))

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], blocks: nn.ModuleList
    ) -> Float[Tensor, "batch token dim"]:
        """Run the tokens through the blocks."""
        normed = plain = tokens
        for block, before, after in zip(blocks, self.before, self.after, strict=False):
            out = block(normed + before(plain))
            normed, plain = after(normed + out), plain + out
        last: Tensor = self.before[-1](plain)
        return normed + last


class UniMixerNetwork(nn.Module):
    """Tokenizer, blocks, with SiameseNorm or in a row, and head: embedded fields -> logits (batch, task).

    Args:
        tokenizer: maps (batch, field, embedding_dim) to (batch, token, dim).
        blocks: the blocks.
        siamese: how tokens run through the blocks; None: one block behind the other.
        head: maps (batch, token, dim) to (batch, task).

    Source: arXiv 2604.00590, section 3.
    """

    def __init__(
        self, *, tokenizer: nn.Module, blocks: Sequence[UniMixerBlock], siamese: SiameseNorm | None, head: nn.Module
    ) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.tokenizer = tokenizer
        self.blocks = nn.ModuleList(blocks)
        self.siamese = siamese
        self.head = head

    @property
    def points(self) -> dict[str, nn.Module]:
        """Modules that compute matrices, in order: field embeddings, tokens, mixing and FFN of each block."""
        points: dict[str, nn.Module] = {RAW_STAGE: self.field_matrix, "tokens": self.tokenizer}
        for index, block in enumerate(self._blocks):
            points |= {f"block{index}.mixing": block.mixing, f"block{index}.pffn": block.pffn}
        return points

    @property
    def stages(self) -> dict[str, Sequence[nn.Module]]:
        """Modules of each stage of the network, in order; a stage combines all blocks."""
        norms = [] if self.siamese is None else [*self.siamese.before, *self.siamese.after]
        return {
            "tokenizer": [self.tokenizer],
            "mixing": [block.mixing for block in self._blocks],
            "FFN": [block.pffn for block in self._blocks],
            **({"SiameseNorm": norms} if norms else {}),
            "head": [self.head],
        }

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        tokens = self.tokenizer(self.field_matrix(embedded.fields))
        if self.siamese is not None:
            tokens = self.siamese(tokens, self.blocks)
        else:
            for block in self.blocks:
                tokens = block(tokens)
        logits: Tensor = self.head(tokens)
        return logits

    @property
    def _blocks(self) -> list[UniMixerBlock]:
        return [cast("UniMixerBlock", block) for block in self.blocks]
