from typing import Any

import pytest

from rankelastor.errors import DataError

TIMES = ["14102123", "14102123", "14102500", ""]


def test_each_part_is_a_feature(encode_field: Any) -> None:
    encoded = encode_field({"kind": "calendar", "format": "yymmddhh"}, TIMES)
    assert [spec.name for spec, _ in encoded] == ["x_hour", "x_weekday", "x_weekend"]
    assert [spec.describe() for spec, _ in encoded] == ["calendar, hour", "calendar, weekday", "calendar, weekend"]
    assert [ids.tolist() for _, ids in encoded] == [[1, 1, 3, 2], [1, 1, 3, 2], [1, 1, 3, 2]]


def test_a_name_is_the_stem_of_the_parts(encode_field: Any) -> None:
    field = {"kind": "calendar", "format": "iso", "parts": ["hour"], "name": "when"}
    ((spec, ids),) = encode_field(field, ["2014-10-21T23:00:00"], ["2014-10-21T23:59:59", "2014-10-21"])
    assert spec.name == "when_hour"
    assert ids.tolist() == [1, 2]


def test_a_wrong_time_is_named_by_its_row(encode_field: Any) -> None:
    with pytest.raises(DataError, match=r"column 'x', row 2 must hold times as iso"):
        encode_field({"kind": "calendar", "format": "iso"}, ["2014-10-21", "yesterday"])
