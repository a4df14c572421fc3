"""Bring the embedding rows of FuxiCTR into the order of our vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from rankelastor.data.cells.spelling import TextRule, spell_texts
from rankelastor.data.cells.texts import BLANK
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.calendar import CalendarSpec
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.vocabularies import FittedFeature
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.schema import CategoricalFeature, NumericFeature, SequenceFeature

_KINDS = {NumericFeature: "numeric", CategoricalFeature: "categorical", SequenceFeature: "sequence"}


@dataclass(frozen=True)
class MatchedValues:
    """How the values of a field match those of the checkpoint.

    Attributes:
        field: name of our field.
        num_values: number of values that our vocabulary holds.
        num_unknown: how many of them the checkpoint does not know; they have its row for unknown values.
        num_lost: number of values that the checkpoint knows and our vocabulary does not.
    """

    field: str
    num_values: int
    num_unknown: int
    num_lost: int


def copy_rows(
    embedding: FieldEmbedding,
    encoder: RowEncoder,
    features: Sequence[FittedFeature],
    weights: Mapping[str, Tensor],
    *,
    blanks: Mapping[str, str],
) -> tuple[MatchedValues, ...]:
    """Copy the rows and vectors of a checkpoint into an embedding, value by value.

    Args:
        embedding: the embedding of a ranker on the features of ``encoder``, changed in place.
        encoder: our features and vocabularies.
        features: FuxiCTR's features, in the order of ours.
        weights: the weight of each of its features.
        blanks: what FuxiCTR puts in the place of a blank, by feature; features that are not named have none.

    Raises:
        SettingsError: fields differ in number, kind or order, or a weight is missing or has another shape.
    """
    specs = encoder.manifest.features
    _check_fields(specs, features)
    theirs = {spec.name: feature for spec, feature in zip(specs, features, strict=True)}
    with torch.no_grad():
        for place, number in enumerate(encoder.schema.numeric):
            vector = _weight(theirs[number.name].name, weights, (embedding.numeric_vectors.shape[1], 1))
            embedding.numeric_vectors[place] = vector[:, 0]
        matched = []
        for index, ours in enumerate(encoder.schema.with_ids):
            if ours.shares is None:
                spec = next(each for each in specs if each.name == ours.name)
                rows, values = _rows_of(spec, encoder.vocabularies[spec.name], theirs[spec.name], blanks)
                target = embedding.row_ranges[index]
                assert target is not None, "a field without vectors has rows"
                shape = (theirs[spec.name].unknown + 1, embedding.table.shape[1])
                embedding.table[target] = _weight(theirs[spec.name].name, weights, shape)[torch.from_numpy(rows)]
                matched.append(values)
    return tuple(matched)


def _check_fields(specs: Sequence[FeatureSpec], features: Sequence[FittedFeature]) -> None:
    if len(specs) != len(features):
        raise SettingsError(
            f"the recipe must have the {len(features)} fields of feature_map.json, but has {len(specs)}; compare "
            f"data.fields with {', '.join(feature.name for feature in features)}"
        )
    for place, (spec, feature) in enumerate(zip(specs, features, strict=True), 1):
        kind = _KINDS[type(spec.feature)]
        same_name = spec.name == feature.name or isinstance(spec, CalendarSpec)
        if kind != feature.kind or not same_name:
            raise SettingsError(
                f"field {place} of the recipe must be {feature.name} ({feature.kind}) as in feature_map.json, but is "
                f"{spec.name} ({kind}); put data.fields into the order of FuxiCTR's feature_cols"
            )


def _rows_of(
    spec: FeatureSpec, vocabulary: Vocabulary, theirs: FittedFeature, blanks: Mapping[str, str]
) -> tuple[NDArray[np.int64], MatchedValues]:
    """Find for our ids 1, 2, ... the row of FuxiCTR; ids without a value are out of vocabulary."""
    by_text = _by_our_spelling(spec, theirs.indices)
    ours = vocabulary.values.to_list()
    texts = [blanks.get(theirs.name, BLANK) if text == BLANK else text for text in ours]
    rows = np.full(vocabulary.num_ids - 1, theirs.unknown, dtype=np.int64)
    rows[vocabulary.known_ids - 1] = [by_text.get(text, theirs.unknown) for text in texts]
    known = set(ours)
    lost = sum(text not in known and text != BLANK for text in by_text)
    unknown = sum(text not in by_text for text in texts)
    return rows, MatchedValues(spec.name, len(ours), unknown, lost)


def _by_our_spelling(spec: FeatureSpec, indices: Mapping[str, int]) -> dict[str, int]:
    """Spell FuxiCTR's values as our vocabulary does: 12.0 is 12; of two that become one the more frequent counts."""
    if isinstance(spec, CalendarSpec):
        spelled = [_CALENDAR[spec.part](text) for text in indices]
    else:
        rule: TextRule = getattr(spec, "text", "canonical")
        spelled = spell_texts(pa.array(list(indices), pa.string()), rule).to_pylist()
    by_text: dict[str, int] = {}
    for text, index in sorted(zip(spelled, indices.values(), strict=True), key=lambda pair: pair[1]):
        by_text.setdefault(text, index)
    return by_text


def _whole(text: str) -> str:
    return str(int(float(text)))


_CALENDAR: dict[str, Callable[[str], str]] = {
    "hour": _whole,
    "weekday": lambda text: str((int(float(text)) + 6) % 7),  # FuxiCTR counts from Sunday, we count from Monday
    "weekend": _whole,
}


def _weight(name: str, weights: Mapping[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    if name not in weights:
        raise SettingsError(f"the checkpoint must hold embedding_layers.{name}.weight, but does not")
    weight = weights[name]
    if tuple(weight.shape) != shape:
        raise SettingsError(
            f"embedding_layers.{name}.weight must have the shape {shape} of its vocabulary and embedding_dim, but has "
            f"{tuple(weight.shape)}; are feature_vocab.json and the settings those of this checkpoint?"
        )
    return weight
