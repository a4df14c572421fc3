"""RankUp: permuted fields, several tables, computed and learned tokens, so that the representations keep their rank.

Source: RankUp, arXiv 2604.17878.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from rankelastor.models.layer_choice import LayerChoice, Variant
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.nn.embedding.embedded import Embedded
from rankelastor.nn.embedding.field_matrix import RAW_STAGE, FieldMatrix
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.mixing.heads import SwappedParts
from rankelastor.nn.projection import Projection
from rankelastor.nn.residual_norm import PreNormResidual
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.nn.tokenizer.global_token import CrossToken, FmToken, MlpToken
from rankelastor.nn.tokenizer.permuted import PermutedTokenizer
from rankelastor.nn.tokenizer.rankup import RankUpTokenizer
from rankelastor.schema import FeatureSchema

GLOBAL_TOKENS = LayerChoice(
    {
        "mlp": Variant(
            MlpToken, inlined={"projection": Variant(Projection, given=["in_dim", "out_dim", "batch_norm"])}
        ),
        "fm": FmToken,
        "dcn_v2": CrossToken,
    },
    given=["num_fields", "embedding_dim", "token_dim"],
)

if TYPE_CHECKING:
    GlobalTokenSettings = LayerSettings
else:
    GlobalTokenSettings = GLOBAL_TOKENS.annotation


class RankUpSettings(RankerSettings):
    """RankUp: tokens of permuted fields from several tables, a global, a crossed and a task's token, pre-norm blocks.

    The tables lie side by side as columns of one table. With ``model.tasks`` each network has one learned token, whose
    tower computes all outputs of the network.

    NOTE[DIFF]: the crossed token multiplies the normalised embeddings of two fields, where RankUp multiplies pretrained
    vectors; a field with pretrained vectors has them, behind a linear map, in its embedding. NOTE[OPEN]: which tables a
    token reads; here token t reads table t mod K.
    """

    kind: Literal["rankup"]
    num_tokens: Annotated[
        PositiveInt, Field(description="Number of all tokens, T; it divides token_dim and exceeds the extra tokens.")
    ]
    token_dim: Annotated[PositiveInt, Field(description="Width of each token, D.")]
    num_blocks: Annotated[NonNegativeInt, Field(description="Number of blocks of mixing and per-token FFN.")] = 2
    hidden_dim: Annotated[PositiveInt, Field(description="Hidden width of the SwiGLU of each token.")]
    num_tables: Annotated[
        PositiveInt, Field(description="Number of embedding tables of the groups; the global token has one more.")
    ] = 2
    permutation_seed: Annotated[NonNegativeInt, Field(description="Seed that puts the fields into groups.")] = 0
    global_token: Annotated[
        GlobalTokenSettings | None, Field(description="How the global token is computed from all fields, or none.")
    ] = GLOBAL_TOKENS.settings("fm")
    crossed: Annotated[
        tuple[str, ...], Field(description="Names of two fields whose product makes a token; empty: no such token.")
    ] = ()
    tower_dims: Annotated[tuple[PositiveInt, ...], Field(description="Hidden widths of the tower of each task.")] = (
        64,
    )

    def embedding_width(self, schema: FeatureSchema) -> int:  # noqa: ARG002 - the base class has it
        """Width of the rows: all tables side by side."""
        return self._num_all_tables * self.embedding_dim

    @property
    def _num_all_tables(self) -> int:
        return self.num_tables + (self.global_token is not None)

    def network(self, schema: FeatureSchema) -> RankUpNetwork:
        """Make tokenizer, blocks and towers."""
        sizes = {"num_tokens": self.num_tokens, "token_dim": self.token_dim}
        ffns = [PerTokenSwiGlu(**sizes, hidden_dim=self.hidden_dim) for _ in range(self.num_blocks)]
        return RankUpNetwork(
            tokenizer=self._tokenizer(schema),
            mixings=[PreNormResidual(SwappedParts(**sizes), dim=self.token_dim) for _ in ffns],
            ffns=[PreNormResidual(ffn, dim=self.token_dim) for ffn in ffns],
            towers=[
                Projection(in_dim=2 * self.token_dim, hidden_dims=self.tower_dims, out_dim=num_outputs, norm=False)
                for num_outputs in self._outputs_of_towers(schema)
            ],
        )

    def _outputs_of_towers(self, schema: FeatureSchema) -> list[int]:
        """Count the outputs of each tower; what a shared network computes are no tasks, so that one tower has all."""
        num_outputs = len(schema.tasks)
        return [1] * num_outputs if self.tasks is None else [num_outputs]

    def _tokenizer(self, schema: FeatureSchema) -> RankUpTokenizer:
        crossed = _places(self.crossed, schema)
        num_tasks = len(self._outputs_of_towers(schema))
        num_extra = num_tasks + (self.global_token is not None) + bool(crossed)
        if self.num_tokens <= num_extra:
            raise SizesDoNotFit(
                f"num_tokens must exceed the {num_extra} tokens that are no groups of fields, but {self.num_tokens} "
                f"was given; try num_tokens={num_extra + 1}"
            )
        fields = {"num_fields": schema.num_fields, "embedding_dim": self.embedding_dim, "token_dim": self.token_dim}
        return RankUpTokenizer(
            groups=PermutedTokenizer(
                **fields,
                num_tables=self.num_tables,
                num_tokens=self.num_tokens - num_extra,
                seed=self.permutation_seed,
            ),
            global_token=None if self.global_token is None else GLOBAL_TOKENS.build(self.global_token, fields),
            crossed=crossed,
            num_tasks=num_tasks,
            num_tables=self._num_all_tables,
            **fields,
        )


def _places(names: Sequence[str], schema: FeatureSchema) -> list[int]:
    if len(names) not in {0, 2} or not set(names) <= set(schema.names):
        raise SizesDoNotFit(
            f"crossed must name two of the fields {', '.join(schema.names)}, but {list(names)} was given"
        )
    return [list(schema.names).index(name) for name in names]


class RankUpNetwork(nn.Module):
    """H' = Mix(RN(H)) + H, H'' = pSwiGLU(RN(H')) + H', then y_k = Tower_k(concat(task token k, mean of all tokens)).

    Args:
        tokenizer: maps (batch, field, width) to tokens (batch, token, dim), those of the tasks last.
        mixings: the mixing with norm and residual, one per block.
        ffns: the per-token FFN with norm and residual, one per block.
        towers: maps (batch, 2 * dim) to (batch, output), one per learned token; usually one output for each task.

    Source: arXiv 2604.17878.
    """

    def __init__(
        self,
        *,
        tokenizer: nn.Module,
        mixings: Sequence[nn.Module],
        ffns: Sequence[nn.Module],
        towers: Sequence[Projection],
    ) -> None:
        super().__init__()
        self.field_matrix = FieldMatrix()
        self.tokenizer = tokenizer
        self.mixings = nn.ModuleList(mixings)
        self.ffns = nn.ModuleList(ffns)
        self.towers = nn.ModuleList(towers)

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
            "towers": [*self.towers],
        }

    def forward(self, embedded: Embedded) -> Float[Tensor, "batch task"]:
        """Compute the logits of embedded features."""
        tokens = self.tokenizer(self.field_matrix(embedded.fields))
        for mixing, ffn in zip(self.mixings, self.ffns, strict=True):
            tokens = ffn(mixing(tokens))
        pooled, of_tasks = tokens.mean(dim=1), tokens[:, -len(self.towers) :].unbind(1)
        logits = [tower(torch.cat([own, pooled], dim=1)) for tower, own in zip(self.towers, of_tasks, strict=True)]
        return torch.cat(logits, dim=1)
