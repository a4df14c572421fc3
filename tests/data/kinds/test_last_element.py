from typing import Any

import pytest
from pydantic import ValidationError

from rankelastor.data.kinds.sequence import SequenceField
from rankelastor.schema import CategoricalFeature, SequenceFeature

FIELD = {"kind": "sequence", "separator": "^", "max_length": 3, "last": 2}


def test_last_elements_have_the_ids_of_the_sequence(encode_field: Any) -> None:
    encoded = encode_field(FIELD, ["a^b^a", "a"], ["c^b", "", "b^", None, "b"])
    (sequence, elements), (newest, first), (second, other) = encoded
    assert elements.tolist() == [[0, 3, 2], [0, 0, 0], [0, 2, 0], [0, 0, 0], [0, 0, 2]]
    assert first.tolist() == [2, 0, 0, 0, 2]
    assert other.tolist() == [3, 0, 2, 0, 0]
    assert sequence.feature == SequenceFeature("x", 4, 3)
    assert newest.feature == CategoricalFeature("x_last_1", 4, shares="x", element_of="x")
    assert second.feature == CategoricalFeature("x_last_2", 4, shares="x", element_of="x")
    assert [newest.describe(), second.describe()] == ["newest element of x", "element 2 from the newest"]


def test_last_elements_share_what_the_sequence_shares() -> None:
    field = SequenceField(kind="sequence", column="seen", max_length=3, shares="item", last=1)
    _, newest = field.plan("seen")
    assert newest.vocabulary is not None
    assert newest.vocabulary.shares == "item"


def test_more_last_elements_than_are_read_are_refused() -> None:
    with pytest.raises(ValidationError, match="last must be at most max_length = 3, but 4 was given; try a larger"):
        SequenceField(kind="sequence", column="x", max_length=3, last=4)
