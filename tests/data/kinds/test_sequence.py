from typing import Any

import pytest

from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.errors import DataError
from rankelastor.schema import SequenceFeature

FIELD = {"kind": "sequence", "separator": "^", "max_length": 3}


def test_the_newest_elements_are_padded_on_the_left_and_blanks_keep_their_place(encode_field: Any) -> None:
    ((spec, ids),) = encode_field(FIELD, ["a^b^a", "a"], ["b^a^b^a", "", "a^^new", None])
    assert ids.tolist() == [[1, 2, 1], [0, 0, 0], [1, 0, 3], [0, 0, 0]]
    assert spec.feature == SequenceFeature("x", 4, 3)
    assert spec.describe() == "sequence of 3"


def test_elements_beyond_the_longest_length_are_not_counted(encode_field: Any) -> None:
    ((_, ids),) = encode_field(FIELD | {"max_length": 1, "min_count": 2}, ["b^b^a", "a", "b"])
    assert ids.tolist() == [[1], [1], [2]]


def test_a_row_is_as_wide_as_its_longest_list() -> None:
    (feature,) = SequenceField(kind="sequence", column="x", max_length=7).plan("x")
    assert feature.width == 7


def test_texts_without_a_separator_are_refused(encode_field: Any) -> None:
    with pytest.raises(DataError, match="column 'x' must hold lists, but its type is string; set separator"):
        encode_field({"kind": "sequence", "max_length": 3}, ["a^b"])
