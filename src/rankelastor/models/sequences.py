"""The setting ``model.sequence``: how any model reads the sequences of the data, by ``kind``, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from pydantic import Field, PositiveInt
from torch import nn

from rankelastor.models.layer_choice import LayerChoice
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.nn.sequence.encoded_features import SequenceNetwork, SequencePlace
from rankelastor.nn.sequence.encoder import SequenceEncoder, SequenceOutput
from rankelastor.nn.sequence.hstu import HstuEncoder
from rankelastor.nn.sequence.layer import SequenceLayer
from rankelastor.nn.sequence.target_attention import TargetAttention
from rankelastor.nn.sequence.transformer import TransformerEncoder
from rankelastor.nn.sequence.unchanged import UnchangedElements
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.schema import FeatureSchema, SequenceFeature

_WITH_POSITIONS = ("transformer",)
"""Kinds that see no order without position vectors, and whose papers add them."""


class SequenceLayerSettings(LayerSettings):
    """Settings that all sequence layers share: the sequences that are read, the target, and the form of the result."""

    features: tuple[str, ...] = Field(
        (), description="Names of the sequence fields to read, each with weights of its own; empty: all."
    )
    target: str | None = Field(
        None,
        description="Name of the categorical field that the sequences are read for; null: for each sequence the field "
        "with which it shares its embedding rows.",
    )
    output: SequenceOutput = Field(
        "vector",
        description="What the network receives: `vector` is one vector a sequence, in the place of its mean; `tokens` "
        "is one vector for each element, behind the fields (in a mixer each is a token, counted in `num_tokens`).",
    )
    last: PositiveInt | None = Field(
        None, description="Number of the newest elements that are read; null: all that the field keeps."
    )
    positions: bool | None = Field(
        None,
        description="Whether a learned vector for each position, counted from the newest element, is added to the "
        "elements; null: only for `transformer`.",
    )
    time_gap: str | None = Field(
        None,
        description="Name of a sequence field of the same `max_length` whose embeddings are added to the elements, "
        "such as the time since each event in classes.",
    )


SEQUENCES = LayerChoice(
    {
        "mean": UnchangedElements,
        "target_attention": TargetAttention,
        "transformer": TransformerEncoder,
        "hstu": HstuEncoder,
    },
    given=["embedding_dim", "max_length"],
    base=SequenceLayerSettings,
)

if TYPE_CHECKING:
    SequenceSettings = SequenceLayerSettings
else:
    SequenceSettings = SEQUENCES.annotation


def places_of(settings: SequenceLayerSettings, schema: FeatureSchema) -> list[SequencePlace]:
    """Find the sequences to read, their targets and their time gaps among the features.

    Raises:
        SizesDoNotFit: there is no sequence, a name is not that of such a field, or a sequence has no target.
    """
    sequences = {feature.name: index for index, feature in enumerate(schema.sequence)}
    if not sequences:
        raise SizesDoNotFit(
            "sequence needs a field of lists, but data.fields has none; add {kind: sequence, column: ...}, "
            "or leave model.sequence out"
        )
    chosen = settings.features or tuple(name for name in sequences if name != settings.time_gap)
    for setting, names in [("features", chosen), ("time_gap", [settings.time_gap] if settings.time_gap else [])]:
        for name in names:
            if name not in sequences:
                raise SizesDoNotFit(
                    f"sequence.{setting} must name sequence fields, but {name!r} was given; try one of "
                    f"{', '.join(sequences)}"
                )
    return [_place(settings, schema, schema.sequence[sequences[name]], sequences) for name in chosen]


def _place(
    settings: SequenceLayerSettings, schema: FeatureSchema, feature: SequenceFeature, sequences: dict[str, int]
) -> SequencePlace:
    gaps = None if settings.time_gap is None else sequences[settings.time_gap]
    if gaps is not None and schema.sequence[gaps].max_length != feature.max_length:
        raise SizesDoNotFit(
            f"sequence.time_gap must be as long as the sequence it is added to, but {settings.time_gap} has max_length "
            f"{schema.sequence[gaps].max_length} and {feature.name} has {feature.max_length}"
        )
    return SequencePlace(
        feature.name,
        sequence=sequences[feature.name],
        field=schema.names.index(feature.name),
        target=schema.names.index(_target(settings, schema, feature)),
        gaps=gaps,
    )


def _target(settings: SequenceLayerSettings, schema: FeatureSchema, feature: SequenceFeature) -> str:
    candidates = [categorical for categorical in schema.categorical if categorical.element_of is None]
    names = [candidate.name for candidate in candidates]
    if settings.target is not None:
        if settings.target not in names:
            raise SizesDoNotFit(
                f"sequence.target must name a categorical field, but {settings.target!r} was given; try one of "
                f"{', '.join(names)}"
            )
        return settings.target
    owner = feature.shares or feature.name
    shared = [each.name for each in candidates if owner in {each.name, each.shares}]
    if not shared:
        raise SizesDoNotFit(
            f"sequence.target must be given, since the sequence {feature.name} shares rows with no categorical field; "
            f"try one of {', '.join(names)}"
        )
    return shared[0]


def schema_with_tokens(
    settings: SequenceLayerSettings, schema: FeatureSchema, places: Sequence[SequencePlace]
) -> FeatureSchema:
    """Describe what the network receives: the features, and with ``output: tokens`` the elements of each sequence."""
    if settings.output == "vector":
        return schema
    lengths = {place.name: _length(settings, schema.sequence[place.sequence]) for place in places}
    tokens = tuple(f"{name}[{index}]" for name, length in lengths.items() for index in range(length))
    return FeatureSchema(schema.features, schema.tasks, sequence_tokens=tokens)


def with_sequences(
    settings: SequenceLayerSettings,
    schema: FeatureSchema,
    places: Sequence[SequencePlace],
    network: nn.Module,
    *,
    embedding_dim: int,
) -> SequenceNetwork:
    """Put a sequence layer for each place before a network, with initial values.

    Raises:
        SizesDoNotFit: sizes of a layer do not fit the width of an embedding.
    """
    positions = settings.kind in _WITH_POSITIONS if settings.positions is None else settings.positions
    encoders = []
    for place in places:
        sizes = {
            "embedding_dim": embedding_dim,
            "max_length": _length(settings, schema.sequence[place.sequence]),
        }
        layer = cast("SequenceLayer", SEQUENCES.build(settings, sizes))
        encoders.append(SequenceEncoder(layer, **sizes, output=settings.output, positions=positions))
    return SequenceNetwork(encoders=encoders, places=places, network=network)


def _length(settings: SequenceLayerSettings, feature: SequenceFeature) -> int:
    return min(feature.max_length, settings.last or feature.max_length)
