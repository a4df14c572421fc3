from typing import Any

import numpy as np
import polars as pl
import pytest

from rankelastor.data.features.aligned_vectors import PretrainedSpec
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.categorical import CategoricalField, CategoricalSpec
from rankelastor.schema import CategoricalFeature, PretrainedVectors

SPEC = CategoricalSpec(name="x", column="x", min_count=1, blank="value", num_ids=4, vocabulary="x.parquet")


@pytest.mark.parametrize(("blank", "expected"), [("value", 2), ("padding", 0), ("out_of_vocabulary", 2)])
def test_values_are_ordered_by_count_and_blanks_follow_their_rule(encode_field: Any, blank: str, expected: int) -> None:
    ((spec, ids),) = encode_field({"kind": "categorical", "blank": blank}, ["a", "a", "a", "", None], ["a", "", "new"])
    assert ids.tolist() == [1, expected, spec.feature.num_ids - 1]


def test_rare_values_are_out_of_vocabulary(encode_field: Any) -> None:
    ((spec, ids),) = encode_field({"kind": "categorical", "min_count": 2}, ["a", "b", "a"])
    assert ids.tolist() == [1, 2, 1]
    assert spec.feature == CategoricalFeature("x", 3)


def test_a_field_that_shares_leaves_the_rule_for_blanks_to_the_owner() -> None:
    (feature,) = CategoricalField(column="x", shares="item").plan("x")
    assert feature.vocabulary is not None
    assert feature.vocabulary.blank is None
    assert SPEC.model_copy(update={"shares": "item"}).vocabulary_file.blank is None
    assert SPEC.vocabulary_file.blank == "value"


def test_vectors_are_written_at_their_ids(encode_field: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    np.savez(tmp_path / "v.npz", key=np.array(["b"]), value=np.array([[3.0, 4.0]]))
    ((spec, _),) = encode_field({"kind": "categorical", "pretrained": {"file": "v.npz"}}, ["a", "a", "b"])
    assert np.load(tmp_path / "vectors" / spec.vectors.file).tolist() == [[0, 0], [0, 0], [3, 4], [0, 0]]
    assert spec.feature.pretrained == PretrainedVectors(dim=2, trained=False)
    assert spec.describe() == "categorical, frozen vectors of 2"
    assert "1 of the 2 values of x have no vector in v.npz" in caplog.text


def test_what_people_read_names_the_vectors() -> None:
    assert SPEC.describe() == "categorical"
    vectors = PretrainedSpec(file="x.npy", dim=8, trained=True, num_without_vector=0)
    assert SPEC.model_copy(update={"pretrained": vectors}).describe() == "categorical, trained vectors of 8"


@pytest.mark.parametrize(("min_count", "blank_ids"), [(1, ()), (2, None)])
def test_blanks_without_an_id_are_none_or_unknown(min_count: int, blank_ids: tuple[int, ...] | None) -> None:
    vocabulary = Vocabulary(pl.Series(["a"]), np.array([3]))
    assert SPEC.model_copy(update={"min_count": min_count}).meaning(vocabulary).blank_ids == blank_ids
