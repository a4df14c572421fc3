"""Align pretrained vectors with the ids of a vocabulary."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.config.base import Settings
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.features.vector_files import read_vectors, vector_place
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.errors import DataError
from rankelastor.remote.remote_path import AnyPath


class PretrainedSpec(Settings):
    """Pretrained vectors of a feature: a file in the folder ``vectors``, float32 (num_ids, dim), in order of ids.

    ``num_without_vector`` counts the known values without a vector: their rows are zero.
    """

    file: str
    dim: int
    trained: bool
    num_without_vector: int


def align_vectors(
    vocabulary: Vocabulary, source: str | AnyPath, settings: PretrainedSettings, *, text: TextRule = "canonical"
) -> tuple[NDArray[np.float32], int]:
    """Read the vector of each id, float32 (num_ids, dim), and count the known values without a vector.

    Padding, out of vocabulary and values without a vector get zeros. Keys that are not known values are ignored.
    Keys are spelled as the values of the field are, by its rule ``text``.

    Raises:
        DataError: widths differ, a number is not finite, a key occurs twice, or no key is a known value.
    """
    path = vector_place(source, settings.file, "file")
    vectors: NDArray[np.float32] | None = None
    has_vector = np.zeros(vocabulary.num_ids, dtype=bool)
    for keys, piece in read_vectors(source, settings, text=text):
        if vectors is None:
            vectors = np.zeros((vocabulary.num_ids, piece.shape[1]), dtype=np.float32)
        _require_fitting(path, keys, piece, dim=vectors.shape[1])
        ids = vocabulary.ids(keys.fill_null(""))
        is_known = (ids != vocabulary.out_of_vocabulary_id) & (ids != 0)
        ids, rows = ids[is_known], np.flatnonzero(is_known)
        _require_once(path, keys.gather(rows), ids, has_vector)
        vectors[ids] = piece[rows]
        has_vector[ids] = True
    if vectors is None or not has_vector.any():
        known = ", ".join(map(repr, vocabulary.values.head(3)))
        raise DataError(
            f"{path} must hold vectors of the field's values, but none of its keys is one; known values are "
            f"{known}; check pretrained.key"
        )
    return vectors, len(vocabulary.values) - int(has_vector.sum())


def _require_fitting(path: AnyPath, keys: pl.Series, vectors: NDArray[np.float32], *, dim: int) -> None:
    if vectors.shape[1] != dim or not dim:
        raise DataError(f"{path} must hold vectors of one width, but widths {dim} and {vectors.shape[1]} were found")
    wrong = ~np.isfinite(vectors).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{path}: vectors must hold finite numbers, but that of {keys[row]!r} is {vectors[row].tolist()[:8]}; "
            "leave out keys without a vector"
        )


def _require_once(path: AnyPath, keys: pl.Series, ids: NDArray[np.int32], has_vector: NDArray[np.bool_]) -> None:
    order = np.argsort(ids, kind="stable")
    again = has_vector[ids]
    again[order[1:]] |= ids[order[1:]] == ids[order[:-1]]
    if again.any():
        raise DataError(f"{path} must hold each key once, but {keys[int(again.argmax())]!r} occurs twice")
