from typing import Any

import numpy as np
import pytest

from rankelastor.data.kinds.spec import NumberMeaning
from rankelastor.errors import DataError
from rankelastor.schema import NumericFeature


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("as_is", [1, 5, 9]),
        ("log", np.log1p([1, 5, 9])),
        ("standardise", [-1, 1, 3]),
        ("min_max", [0, 1, 2]),
    ],
)
def test_each_transform_uses_the_train_rows_alone(encode_field: Any, transform: str, expected: list[float]) -> None:
    ((spec, numbers),) = encode_field({"kind": "numeric", "transform": transform}, ["1", "5"], ["1", "5", "9"])
    assert numbers == pytest.approx(expected)
    assert numbers.dtype == np.float32
    assert spec.feature == NumericFeature("x")
    assert spec.describe() == "numeric"


def test_a_blank_is_its_number_before_the_transform(encode_field: Any) -> None:
    field = {"kind": "numeric", "transform": "min_max", "blank": 6}
    ((spec, numbers),) = encode_field(field, ["1", "5", ""])
    assert numbers == pytest.approx([0, 0.8, 1])
    assert spec.meaning(None) == NumberMeaning("min_max", 1.0)


def test_blanks_are_refused_where_none_may_be(encode_field: Any) -> None:
    with pytest.raises(DataError, match=r"column 'x', row 2 must not be blank"):
        encode_field({"kind": "numeric", "blank": None}, ["1", ""])
