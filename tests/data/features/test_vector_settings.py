from typing import Any

import pytest
from pydantic import ValidationError

from rankelastor.data.features.vector_settings import PretrainedSettings


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"file": "v.PARQUET", "key": "item", "vector": ["a", "b"]}, "parquet"),
        ({"file": "v.npy", "keys": "keys.txt"}, "npy"),
        ({"file": "v.npz"}, "npz"),
        ({"file": "v.h5", "key": "ids"}, "h5"),
    ],
    ids=["parquet", "npy", "npz", "h5"],
)
def test_the_name_tells_the_format(values: dict[str, Any], expected: str) -> None:
    assert PretrainedSettings.model_validate(values).format == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"file": "v.csv"}, r"file must end in one of .parquet, .pq, .npy, .npz, .h5, .hdf5, but 'v.csv' was given"),
        ({"file": "v.npy"}, r"keys must name a file of one key per line if file is .npy, but None was given"),
        ({"file": "v.npz", "keys": "k.txt"}, r"keys must be left out if file is .npz, but 'k.txt' was given"),
        ({"file": "v.parquet", "key": "item"}, r"key and vector must name columns if file is Parquet"),
        ({"file": "v.npy", "keys": "k.txt", "key": "item"}, r"key and vector must be left out if file is .npy"),
        ({"file": "v.h5", "vector": ["a", "b"]}, r"vector must name one array if file is .h5, but \['a', 'b'\]"),
    ],
    ids=["csv", "npy", "npz", "parquet", "npy-key", "h5"],
)
def test_settings_that_do_not_go_with_the_format_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PretrainedSettings.model_validate(values)
