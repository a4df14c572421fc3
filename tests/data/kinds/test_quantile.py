from typing import Any

import pytest

from rankelastor.schema import CategoricalFeature


@pytest.mark.parametrize(("blank", "expected", "num_ids"), [("value", 3, 5), ("padding", 0, 4)])
def test_buckets_have_equal_mass_in_train(encode_field: Any, blank: str, expected: int, num_ids: int) -> None:
    field = {"kind": "quantile", "num_buckets": 2, "blank": blank}
    ((spec, ids),) = encode_field(field, ["4", "1", "3", "2", ""], ["-9", "2.5", "3", "99", ""])
    assert spec.edges == (3.0,)
    assert ids.tolist() == [1, 1, 2, 2, expected]
    assert spec.feature == CategoricalFeature("x", num_ids)


def test_ids_are_named_by_their_range(encode_field: Any) -> None:
    ((spec, _),) = encode_field({"kind": "quantile", "num_buckets": 3}, ["1", "2", "3"])
    meaning = spec.meaning(None)
    assert [meaning.text_of(index) for index in range(1, 5)] == ["x < 2", "2 <= x < 3", "3 <= x", ""]
    assert meaning.blank_ids == (4,)
    assert spec.describe() == "quantile, 3 buckets"


def test_a_column_of_blanks_has_one_bucket(encode_field: Any) -> None:
    ((spec, ids),) = encode_field({"kind": "quantile", "num_buckets": 4}, ["", ""], ["7", ""])
    assert spec.edges == ()
    assert ids.tolist() == [1, 2]
