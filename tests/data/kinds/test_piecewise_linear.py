from typing import Any

import numpy as np
import pytest

from rankelastor.schema import NumericFeature


def test_a_number_is_encoded_by_its_place_among_the_edges(encode_field: Any) -> None:
    field = {"kind": "piecewise_linear", "num_buckets": 2}
    ((spec, places),) = encode_field(field, ["4", "1", "3", "2", ""], ["1", "2", "3.25", "4", ""])
    assert spec.edges == (1.0, 3.0, 4.0)
    assert places.tolist() == [1.0, 1.5, 2.25, 3.0, 0.0]
    assert places.dtype == np.float32
    assert spec.feature == NumericFeature("x", num_edges=3)
    assert spec.describe() == "piecewise linear, 3 edges"


def test_numbers_beyond_the_edges_count_as_the_nearest(encode_field: Any) -> None:
    field = {"kind": "piecewise_linear", "num_buckets": 1, "infinite": "clip"}
    ((_, places),) = encode_field(field, [1.0, 3.0], [-99.0, 99.0, float("inf"), float("-inf")])
    assert places.tolist() == [1.0, 2.0, 2.0, 1.0]


def test_equal_numbers_make_one_edge(encode_field: Any) -> None:
    ((spec, places),) = encode_field({"kind": "piecewise_linear", "num_buckets": 4}, ["0", "0", "0", "0", "8"], ["2"])
    assert spec.edges == (0.0, 8.0)
    assert places.tolist() == [1.25]


@pytest.mark.parametrize(("train", "edges"), [(["", ""], (0.0,)), (["5", ""], (5.0,))])
def test_a_column_of_one_number_or_none_has_one_edge(encode_field: Any, train: list[str], edges: tuple[float]) -> None:
    ((spec, places),) = encode_field({"kind": "piecewise_linear"}, train, ["7", ""])
    assert spec.edges == edges
    assert places.tolist() == [1.0, 0.0]
