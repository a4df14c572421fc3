from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.data.features.aligned_vectors import align_vectors
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.errors import DataError

VOCABULARY = Vocabulary.fit(pl.Series(["a", "b", "c"]), np.array([3, 2, 1]), min_count=1, blank="value")
SETTINGS = PretrainedSettings(file="v.npz")


def write(folder: Path, keys: list[str], vectors: Any) -> Path:
    np.savez(folder / "v.npz", key=np.array(keys), value=np.array(vectors))
    return folder


def test_vectors_stand_at_their_ids_and_all_others_are_zero(tmp_path: Path) -> None:
    source = write(tmp_path, ["c", "unseen", "a"], [[1, 2], [9, 9], [3, 4]])
    vectors, num_without = align_vectors(VOCABULARY, source, SETTINGS)
    assert vectors.tolist() == [[0, 0], [3, 4], [0, 0], [1, 2], [0, 0]]  # padding, a, b, c, out of vocabulary
    assert num_without == 1


@pytest.mark.parametrize(
    ("keys", "vectors", "message"),
    [
        (["a", "a"], [[1.0], [2.0]], r"v.npz must hold each key once, but 'a' occurs twice"),
        (["a", "b"], [[1.0], [np.nan]], r"vectors must hold finite numbers, but that of 'b' is \[nan\]"),
        (["x", "y"], [[1.0], [2.0]], r"none of its keys is one; known values are 'a', 'b', 'c'"),
    ],
    ids=["twice", "nan", "foreign"],
)
def test_vectors_that_cannot_be_right_are_refused(
    tmp_path: Path, keys: list[str], vectors: list[list[float]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        align_vectors(VOCABULARY, write(tmp_path, keys, vectors), SETTINGS)
