"""Entries of the layers of RankMixer, TokenMixer-Large, UniMixer, RankUp and Wukong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tests.nn.shape_entries import FIELDS, TOKENS, Entry, Shape, of_fields, of_tokens
from torch import nn

from rankelastor.nn.ffn.experts import PerTokenExperts
from rankelastor.nn.ffn.relu_experts import ReluExperts
from rankelastor.nn.ffn.swiglu import PerTokenSwiGlu
from rankelastor.nn.ffn.top_k_experts import TopKExperts
from rankelastor.nn.head import PooledHead
from rankelastor.nn.interaction.wukong import FactorizationBlock, RowMap, WukongLayer
from rankelastor.nn.mixing.heads import RevertedHeadMixing, SwappedParts
from rankelastor.nn.mixing.score_matrices import BasisScores, FreeScores, LowRankScores
from rankelastor.nn.mixing.unimixer import LiteUniMixing, UniMixing
from rankelastor.nn.norm import RMSNorm
from rankelastor.nn.residual_norm import PostNormResidual, PreNormResidual
from rankelastor.nn.tokenizer.global_token import CrossToken, FmToken, GlobalTokenFirst, MlpToken
from rankelastor.nn.tokenizer.per_token_split import PerTokenSplitTokenizer
from rankelastor.nn.tokenizer.permuted import PermutedTokenizer
from rankelastor.nn.tokenizer.rankup import RankUpTokenizer
from rankelastor.nn.tokenizer.split import SplitTokenizer

OTHER_WIDTHS = ((2, 3, 5), (2, 3, 7), (2, 3, 1))
FEW_FIELDS = ((2, 4, 5), (2, 4, 7), (2, 1, 6), (2, 3, 6))


def experts() -> Entry:
    def make() -> PerTokenExperts:
        return PerTokenExperts(**TOKENS, hidden_dim=5, num_experts=2, form="gelu")

    def call(layer: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
        assert isinstance(layer, PerTokenExperts)
        return layer.all_of(tokens, torch.ones(2, 3, 2))

    return Entry(
        make, (2, 3, 6), (2, 3, 6), ((3, 6), (2, 18), (1, 2, 3, 6)), ((2, 4, 6), (2, 1, 6), *OTHER_WIDTHS), call
    )


def factorization() -> FactorizationBlock:
    return FactorizationBlock(num_rows=4, dim=6, num_out=3, rank=2, hidden_dims=[8], last_activation="relu")


def wukong() -> WukongLayer:
    return WukongLayer(
        num_rows=4, dim=6, num_factorized=3, num_compressed=2, rank=2, hidden_dims=[8], last_activation="relu"
    )


def reverted_heads() -> RevertedHeadMixing:
    return RevertedHeadMixing(**TOKENS, num_heads=2, ffn=PerTokenSwiGlu(num_tokens=2, token_dim=9, hidden_dim=5))


def global_token_first() -> GlobalTokenFirst:
    return GlobalTokenFirst(
        first=MlpToken(**FIELDS, token_dim=6),
        norm=RMSNorm(24),
        others=SplitTokenizer(**FIELDS, num_tokens=2, token_dim=6),
    )


def permuted(*, embedding_dim: int, num_tables: int, num_tokens: int) -> PermutedTokenizer:
    return PermutedTokenizer(
        num_fields=4,
        embedding_dim=embedding_dim,
        num_tables=num_tables,
        num_tokens=num_tokens,
        token_dim=6,
        seed=0,
    )


def rankup() -> RankUpTokenizer:
    return RankUpTokenizer(
        groups=permuted(embedding_dim=2, num_tables=2, num_tokens=2),
        global_token=FmToken(embedding_dim=2, token_dim=6),
        crossed=[0, 1],
        num_tasks=1,
        num_fields=4,
        embedding_dim=2,
        num_tables=3,
        token_dim=6,
    )


def of_rows(make: Callable[[], nn.Module], *, out: Shape, sizes: tuple[Shape, ...]) -> Entry:
    """A layer of field embeddings (2, 4, 6) that does not mind all sizes."""
    return Entry(make, (2, 4, 6), out, ((4, 6), (2, 24), (1, 2, 4, 6)), sizes)


MIXERS: dict[type[nn.Module], Entry] = {
    PerTokenExperts: experts(),
    ReluExperts: of_tokens(lambda: ReluExperts(**TOKENS, hidden_dim=5, routers="one")),
    TopKExperts: of_tokens(lambda: TopKExperts(**TOKENS, hidden_dim=5)),
    PerTokenSwiGlu: of_tokens(lambda: PerTokenSwiGlu(**TOKENS, hidden_dim=5)),
    PooledHead: of_tokens(lambda: PooledHead(token_dim=6, num_tasks=2), out=(2, 2), sizes=OTHER_WIDTHS),
    FactorizationBlock: of_fields(factorization),
    RowMap: of_rows(lambda: RowMap(num_rows=4, num_out=3), out=(2, 3, 6), sizes=((2, 5, 6), (2, 1, 6))),
    WukongLayer: of_fields(wukong, out=(2, 5, 6)),
    RevertedHeadMixing: of_tokens(reverted_heads),
    SwappedParts: of_tokens(lambda: SwappedParts(**TOKENS), sizes=((2, 3, 5), (2, 4, 6))),
    UniMixing: of_tokens(lambda: UniMixing(**TOKENS, block_dim=9)),
    LiteUniMixing: of_tokens(lambda: LiteUniMixing(**TOKENS, block_dim=9, rank=1)),
    PreNormResidual: of_tokens(lambda: PreNormResidual(nn.Identity(), dim=6), sizes=OTHER_WIDTHS),
    PostNormResidual: of_tokens(lambda: PostNormResidual(nn.Identity(), RMSNorm(6)), sizes=OTHER_WIDTHS),
    MlpToken: of_fields(lambda: MlpToken(**FIELDS, token_dim=6), out=(2, 6)),
    FmToken: of_rows(lambda: FmToken(embedding_dim=6, token_dim=5), out=(2, 5), sizes=((2, 4, 5), (2, 4, 7))),
    CrossToken: of_fields(lambda: CrossToken(**FIELDS, token_dim=5), out=(2, 5)),
    GlobalTokenFirst: of_fields(global_token_first),
    PerTokenSplitTokenizer: of_rows(
        lambda: PerTokenSplitTokenizer(**FIELDS, **TOKENS, field_names=list("abcd")), out=(2, 3, 6), sizes=FEW_FIELDS
    ),
    PermutedTokenizer: of_rows(
        lambda: permuted(embedding_dim=3, num_tables=2, num_tokens=3), out=(2, 3, 6), sizes=FEW_FIELDS
    ),
    RankUpTokenizer: of_fields(rankup, out=(2, 5, 6)),
}
"""For each layer that takes a tensor of numbers."""

SCORES: dict[type[nn.Module], tuple[Callable[[], nn.Module], Shape]] = {
    FreeScores: (lambda: FreeScores(count=2, size=3), (2, 3, 3)),
    LowRankScores: (lambda: LowRankScores(size=3, rank=2), (1, 3, 3)),
    BasisScores: (lambda: BasisScores(count=4, size=3, num_bases=2), (4, 3, 3)),
}
"""Layers that give square matrices, and the shape of what they give."""
