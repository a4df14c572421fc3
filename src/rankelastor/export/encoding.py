"""The feature encoding of a ranker as plain values for JSON, which ``reference_encoder.py`` reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.errors import RunError
from rankelastor.export import reference_encoder
from rankelastor.export.graph_inputs import inputs_of

ENCODING_FILE = "encoding.json"
ENCODER_FILE = "encode.py"
_OF_TRAINING = ("min_count", "num_ids", "pretrained", "serving_id", "shares", "statistics", "sequence", "unseen_id")
"""What an entry of ``schema.json`` says beside how its cells are encoded."""


def encoding_of(encoder: RowEncoder) -> dict[str, Any]:
    """Describe how rows become ids and numbers.

    It holds the values of vocabularies, or their hashes where the vocabularies are hashed, and no counts.

    Returns:
        ``inputs`` names the features of each input of the graph in the order of their columns; ``features`` say how
        each is encoded; ``vocabularies`` list values in the order of their ids, which count from 1. Where vocabularies
        were extended, ``given_ids`` hold the ids of their values, and ``unseen_ids`` that of unseen ones.

    Raises:
        RunError: the reference encoder does not know the kind of a field.
    """
    for spec in encoder.manifest.features:
        if spec.kind not in reference_encoder.KINDS:
            raise RunError(
                f"fields that are exported must be of a kind that {reference_encoder.__name__} has a method for, but "
                f"{spec.name!r} is {spec.kind}; leave the field out, or add a method"
            )
    return {
        "format_version": reference_encoder.FORMAT_VERSION,
        "spelling_version": encoder.manifest.format_version,
        "blanks": list(encoder.csv.blanks),
        "decimal": encoder.csv.decimal,
        "thousands": encoder.csv.thousands,
        "salt": encoder.manifest.vocabulary_salt,
        "inputs": [
            {"name": each.name, "type": each.type_name, "width": each.width, "features": list(each.features)}
            for each in inputs_of(encoder.schema)
        ],
        "features": [_entry(spec, encoder) for spec in encoder.manifest.features],
        "vocabularies": dict(_vocabularies(encoder)),
        **_given_ids(encoder),
    }


def write_encoder(path: Path) -> None:
    """Copy the reference encoder, one file that needs nothing else."""
    shutil.copyfile(reference_encoder.__file__, path)


def _entry(spec: FeatureSpec, encoder: RowEncoder) -> dict[str, Any]:
    values = {name: each for name, each in spec.model_dump(mode="json").items() if name not in _OF_TRAINING}
    if (vocabulary := encoder.vocabularies.get(spec.name)) is not None:
        values |= {"vocabulary": _owner(spec), "blank": vocabulary.blank}
    return values | spec.derived() | {"is_served": spec.is_served}


def _owner(spec: FeatureSpec) -> str:
    """Name the feature whose vocabulary a feature uses."""
    file = spec.vocabulary_file
    assert file is not None, "the feature has a vocabulary"
    return file.shares or spec.name


def _given_ids(encoder: RowEncoder) -> dict[str, Any]:
    """Describe the ids of extended vocabularies, which do not count from 1; nothing if there are none."""
    extended = {name: each for name, each in encoder.vocabularies.items() if each.given is not None}
    if not extended:
        return {}
    return {
        "given_ids": {name: each.known_ids.tolist() for name, each in extended.items()},
        "unseen_ids": {name: each.out_of_vocabulary_id for name, each in extended.items()},
    }


def _vocabularies(encoder: RowEncoder) -> Iterator[tuple[str, list[str]]]:
    owners: Mapping[str, FeatureSpec] = {spec.name: spec for spec in encoder.manifest.features}
    for name, vocabulary in encoder.vocabularies.items():
        if _owner(owners[name]) == name:
            yield name, vocabulary.values.to_list()
