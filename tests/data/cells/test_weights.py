from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rankelastor.data.cells.weights import parse_weights
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def weights_of(values: Any) -> list[float]:
    rows = RawRows(pa.RecordBatch.from_pydict({"w": values}), Path("log.csv"), first_row=5)
    weights: list[float] = parse_weights(rows, "w").tolist()
    return weights


@pytest.mark.parametrize(
    "values", [["0.5", " 2", "0"], [0.5, 2.0, 0.0], pa.array(["0.5", "2", "-0"]).dictionary_encode()]
)
def test_weights_are_numbers_from_zero_on(values: Any) -> None:
    assert weights_of(values) == [0.5, 2.0, 0.0]


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("-1", "'-1'"),
        ("nan", "'nan'"),
        ("inf", "'inf'"),
        ("1e39", "'1e39'"),
        ("heavy", "'heavy'"),
        ("", "a blank"),
        (None, "a blank"),
    ],
)
def test_any_other_weight_is_refused_with_file_row_column_and_value(value: str | None, given: str) -> None:
    message = rf"log.csv, column 'w', row 6: a weight must be a finite number, 0 or more, but {given} was given"
    with pytest.raises(DataError, match=message):
        weights_of(["1", value])
