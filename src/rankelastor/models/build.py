"""Build modules from settings and schema: the one place where ``kind:`` becomes a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from rankelastor.config.model import (
    BlockMixingSettings,
    FfnSettings,
    FullMixingSettings,
    GlobalMapSettings,
    GluFfnSettings,
    GroupedTokenizerSettings,
    HeadSettings,
    IdentityMixingSettings,
    JointTokenizerSettings,
    KroneckerMixingSettings,
    LinearHeadSettings,
    LowRankMixingSettings,
    MeanHeadSettings,
    MixingSettings,
    MlpFfnSettings,
    MlpHeadSettings,
    ModelSettings,
    NoTokenizerSettings,
    PlainGlobalMapSettings,
    SinkhornGlobalMapSettings,
    SplitMixingSettings,
    SplitTokenizerSettings,
)
from rankelastor.errors import SettingsError
from rankelastor.models.mixer import MixerNetwork
from rankelastor.models.ranker import Ranker
from rankelastor.nn.block import Block
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.ffn.mlp import PerTokenMlp
from rankelastor.nn.head import LinearHead, MeanHead, MlpHead
from rankelastor.nn.mixing.block import BlockMixing, PlainMatrix
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.mixing.identity import IdentityMixing
from rankelastor.nn.mixing.kronecker import KroneckerMixing
from rankelastor.nn.mixing.low_rank import LowRankMixing
from rankelastor.nn.mixing.sinkhorn import DoublyStochasticMatrix
from rankelastor.nn.mixing.split import SplitMixing
from rankelastor.nn.tokenizer.grouped import GroupedTokenizer
from rankelastor.nn.tokenizer.joint import JointTokenizer
from rankelastor.nn.tokenizer.reshape import ReshapeTokenizer
from rankelastor.nn.tokenizer.split import SplitTokenizer
from rankelastor.schema import FeatureSchema


def build_ranker(settings: ModelSettings, schema: FeatureSchema) -> Ranker:
    """A ranker for the features of ``schema``, with fresh initial values.

    Raises:
        SettingsError: sizes do not go together (with sizes that do), or a group names an unknown field.
    """
    embedding = build_embedding(schema, embedding_dim=settings.embedding_dim)
    return Ranker(embedding=embedding, network=build_network(settings, schema.names))


def build_embedding(schema: FeatureSchema, *, embedding_dim: int) -> FieldEmbedding:
    """The embedding of the features, with fresh rows; pretrained vectors are zero until they are set."""
    places = {feature.name: place for place, feature in enumerate(schema.with_ids)}
    return FieldEmbedding(
        num_ids=[feature.num_ids for feature in schema.with_ids],
        num_numeric=len(schema.numeric),
        embedding_dim=embedding_dim,
        order=schema.concatenation_order,
        max_lengths=[feature.max_length for feature in schema.sequence],
        shares={places[feature.name]: places[feature.shares] for feature in schema.with_ids if feature.shares},
        pretrained={
            places[feature.name]: (feature.pretrained.dim, feature.pretrained.trained)
            for feature in schema.categorical
            if feature.pretrained is not None
        },
    )


def build_network(settings: ModelSettings, field_names: Sequence[str]) -> MixerNetwork:
    """Tokenizer, blocks and head for the fields named, with fresh initial values.

    Raises:
        SettingsError: sizes do not go together, or a group names an unknown field.
    """
    try:
        return MixerNetwork(
            tokenizer=_tokenizer(settings, field_names),
            blocks=[_block(settings) for _ in range(settings.num_blocks)],
            head=_head(settings.head, num_tokens=settings.num_tokens, token_dim=settings.token_dim),
        )
    except ValueError as error:
        raise SettingsError(f"model: {error}") from error


def _block(settings: ModelSettings) -> Block:
    sizes = {"num_tokens": settings.num_tokens, "token_dim": settings.token_dim}
    mixing, ffn = _mixing(settings.mixing, **sizes), _ffn(settings.ffn, **sizes)
    return Block(mixing=mixing, ffn=ffn, token_dim=settings.token_dim)


def _tokenizer(settings: ModelSettings, field_names: Sequence[str]) -> nn.Module:
    num_tokens, token_dim, embedding_dim = settings.num_tokens, settings.token_dim, settings.embedding_dim
    match settings.tokenizer:
        case NoTokenizerSettings():
            return ReshapeTokenizer(
                num_fields=len(field_names), embedding_dim=embedding_dim, num_tokens=num_tokens, token_dim=token_dim
            )
        case GroupedTokenizerSettings() as grouped:
            return GroupedTokenizer(
                groups=_group_indices(grouped, field_names, num_tokens=num_tokens),
                embedding_dim=embedding_dim,
                token_dim=token_dim,
                hidden_dims=grouped.hidden_dims,
                activation=grouped.activation,
                norm=grouped.norm,
                dropout=grouped.dropout,
            )
        case SplitTokenizerSettings() | JointTokenizerSettings() as shared:
            tokenizer = SplitTokenizer if isinstance(shared, SplitTokenizerSettings) else JointTokenizer
            return tokenizer(
                num_fields=len(field_names),
                embedding_dim=embedding_dim,
                num_tokens=num_tokens,
                token_dim=token_dim,
                hidden_dims=shared.hidden_dims,
                activation=shared.activation,
                norm=shared.norm,
                dropout=shared.dropout,
            )


def _group_indices(
    tokenizer: GroupedTokenizerSettings, field_names: Sequence[str], *, num_tokens: int
) -> list[list[int]]:
    groups = tokenizer.groups
    if len(groups) != num_tokens:
        raise ValueError(
            f"tokenizer.groups must name one group a token, but {len(groups)} groups and num_tokens {num_tokens} "
            f"were given; try num_tokens={len(groups)}"
        )
    grouped = [name for members in groups.values() for name in members]
    unknown, left_out = sorted(set(grouped) - set(field_names)), sorted(set(field_names) - set(grouped))
    twice = sorted({name for name in grouped if grouped.count(name) > 1})
    for fault, names in (("are no fields", unknown), ("stand in no group", left_out), ("stand twice", twice)):
        if names:
            raise ValueError(f"tokenizer.groups must hold every field once, but {names} {fault}")
    return [[field_names.index(name) for name in members] for members in groups.values()]


def _mixing(settings: MixingSettings, *, num_tokens: int, token_dim: int) -> nn.Module:
    match settings:
        case SplitMixingSettings():
            return SplitMixing(num_tokens=num_tokens, token_dim=token_dim)
        case FullMixingSettings():
            return FullMixing(num_tokens=num_tokens, token_dim=token_dim)
        case KroneckerMixingSettings():
            return KroneckerMixing(
                num_tokens=num_tokens, token_dim=token_dim, num_groups=settings.num_groups, norm=settings.norm
            )
        case LowRankMixingSettings():
            return LowRankMixing(num_tokens=num_tokens, token_dim=token_dim, rank=settings.rank)
        case BlockMixingSettings():
            return BlockMixing(
                num_tokens=num_tokens,
                token_dim=token_dim,
                block_dim=settings.block_dim,
                global_map=_global_map(settings.global_map),
            )
        case IdentityMixingSettings():
            return IdentityMixing()


def _global_map(settings: GlobalMapSettings) -> Callable[..., nn.Module]:
    match settings:
        case PlainGlobalMapSettings():
            return PlainMatrix
        case SinkhornGlobalMapSettings():
            return partial(
                DoublyStochasticMatrix,
                start_temperature=settings.start_temperature,
                end_temperature=settings.end_temperature,
                fall_epochs=settings.fall_epochs,
                iterations=settings.iterations,
            )


def _ffn(settings: FfnSettings, *, num_tokens: int, token_dim: int) -> nn.Module:
    match settings:
        case MlpFfnSettings():
            return PerTokenMlp(
                num_tokens=num_tokens,
                token_dim=token_dim,
                hidden_dims=settings.hidden_dims,
                activation=settings.activation,
                norm=settings.norm,
                dropout=settings.dropout,
            )
        case GluFfnSettings():
            return PerTokenGlu(
                num_tokens=num_tokens,
                token_dim=token_dim,
                hidden_dims=settings.hidden_dims,
                expansion=settings.expansion,
                gate=settings.gate,
                norm=settings.norm,
                dropout=settings.dropout,
            )


def _head(settings: HeadSettings, *, num_tokens: int, token_dim: int) -> nn.Module:
    match settings:
        case MlpHeadSettings():
            return MlpHead(num_tokens=num_tokens, token_dim=token_dim)
        case LinearHeadSettings():
            return LinearHead(num_tokens=num_tokens, token_dim=token_dim)
        case MeanHeadSettings():
            return MeanHead()
