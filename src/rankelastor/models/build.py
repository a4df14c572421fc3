"""Build a ranker from settings and schema."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from rankelastor.errors import SettingsError
from rankelastor.models.numbers import number_layer
from rankelastor.models.ranker import Ranker
from rankelastor.models.ranker_settings import RankerSettings
from rankelastor.models.sequences import places_of, schema_with_tokens, with_sequences
from rankelastor.models.shallow_tower import with_tower, without_features
from rankelastor.models.tasks import network_of_tasks, schema_of_outputs
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.embedding.rows_elsewhere import RowsElsewhere
from rankelastor.nn.embedding.value_rates import ValueRates
from rankelastor.nn.init import EMBEDDING_STD
from rankelastor.nn.offset import WithOffset
from rankelastor.nn.sizes import SizesDoNotFit
from rankelastor.schema import FeatureSchema


def build_ranker(
    settings: RankerSettings,
    schema: FeatureSchema,
    *,
    elsewhere: RowsElsewhere | None = None,
) -> Ranker:
    """Make a ranker for the features and tasks of ``schema``, with initial values.

    Args:
        settings: settings of the model.
        schema: the features and tasks.
        elsewhere: see ``FieldEmbedding``.

    Raises:
        SettingsError: sizes do not fit each other (the message lists sizes that do), or a group names an unknown field.
    """
    width = row_width(settings, schema)
    numbers = number_layer(settings.numbers)
    try:
        embedding = build_embedding(
            schema,
            embedding_dim=width,
            initial_std=settings.embedding_std,
            numbers=numbers,
            elsewhere=elsewhere,
            value_rates=build_value_rates(schema) if settings.value_rates else None,
        )
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        raise SettingsError(
            f"model.embedding_dim must be a width that memory can hold, but {width} was given"
        ) from None
    return Ranker(embedding=embedding, network=build_network(settings, schema))


def build_embedding(
    schema: FeatureSchema,
    *,
    embedding_dim: int,
    initial_std: float = EMBEDDING_STD,
    numbers: Callable[..., nn.Module] | None = None,
    elsewhere: RowsElsewhere | None = None,
    value_rates: ValueRates | None = None,
) -> FieldEmbedding:
    """Make the embedding of the features, with initial rows; pretrained vectors are zero until they are set.

    Args:
        schema: the features.
        embedding_dim: width of an embedding.
        initial_std: standard deviation of the initial rows.
        numbers: makes the layer that embeds numbers; None: each scales a vector.
        elsewhere: see ``FieldEmbedding``.
        value_rates: see ``FieldEmbedding``.
    """
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
        served_ids={places[each.name]: each.serving_id for each in schema.categorical if each.serving_id is not None},
        served_numbers={
            place: each.serving_number for place, each in enumerate(schema.numeric) if each.serving_number is not None
        },
        num_edges={place: each.num_edges for place, each in enumerate(schema.numeric) if each.num_edges is not None},
        numbers=numbers,
        initial_std=initial_std,
        elsewhere=elsewhere,
        value_rates=value_rates,
    )


def build_value_rates(schema: FeatureSchema) -> ValueRates:
    """Make the weights of the values of all id features, which are zero."""
    return ValueRates(
        num_ids=[feature.num_ids for feature in schema.with_ids],
        max_lengths=[feature.max_length for feature in schema.sequence],
        num_tasks=len(schema.tasks),
    )


def row_width(settings: RankerSettings, schema: FeatureSchema) -> int:
    """Compute the width of the rows of the embedding table."""
    return settings.embedding_width(schema_of_outputs(settings.tasks, schema))


def build_network(settings: RankerSettings, schema: FeatureSchema) -> nn.Module:
    """Make the network, ``Embedded`` -> logits (batch, task), with initial values.

    Raises:
        SettingsError: sizes do not fit each other, or a group names an unknown field.
    """
    try:
        network = _network_with_tower(settings, schema)
        return WithOffset(network) if settings.value_rates else network
    except SizesDoNotFit as error:
        message = str(error)
        first, _, _ = message.partition(" ")
        is_setting = first.partition(".")[0] in type(settings).model_fields
        raise SettingsError(f"model.{message}" if is_setting else f"model: {message}") from error


def _network_with_tower(settings: RankerSettings, schema: FeatureSchema) -> nn.Module:
    if settings.shallow_tower is None:
        return _network(settings, schema)
    features = settings.shallow_tower.check(schema)
    network = _network(settings, without_features(schema, features))
    return with_tower(settings.shallow_tower, schema, features, network, embedding_dim=row_width(settings, schema))


def _network(settings: RankerSettings, schema: FeatureSchema) -> nn.Module:
    if settings.sequence is None:
        return _network_of_tasks(settings, schema)
    places = places_of(settings.sequence, schema)
    network = _network_of_tasks(settings, schema_with_tokens(settings.sequence, schema, places))
    width = row_width(settings, schema)
    return with_sequences(settings.sequence, schema, places, network, embedding_dim=width)


def _network_of_tasks(settings: RankerSettings, schema: FeatureSchema) -> nn.Module:
    if settings.tasks is None:
        return settings.network(schema)
    width = row_width(settings, schema)
    return network_of_tasks(settings.tasks, schema, settings.network, embedding_dim=width)
