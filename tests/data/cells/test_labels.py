from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rankelastor.data.cells.labels import parse_labels
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def labels_of(values: Any) -> list[float]:
    rows = RawRows(pa.RecordBatch.from_pydict({"click": values}), Path("log.csv"), first_row=5)
    labels: list[float] = parse_labels(rows, "click").tolist()
    return labels


@pytest.mark.parametrize(
    "values",
    [
        ["1", "0"],
        ["1.0", "0.0"],
        ["true", "False"],
        [True, False],
        [1, 0],
        [1.0, 0.0],
        pa.array(["1", "0"]).dictionary_encode(),
    ],
)
def test_a_label_may_be_written_in_several_ways(values: Any) -> None:
    assert labels_of(values) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("values", "given"),
    [
        (["0", "2"], "'2'"),
        (["0", "-1"], "'-1'"),
        (["0", "yes"], "'yes'"),
        (["0", ""], "a blank"),
        ([0, None], "a blank"),
        ([0.0, 0.5], "'0.5'"),
        ([0.0, float("nan")], "'nan'"),
    ],
)
def test_any_other_label_is_refused_with_its_row(values: Any, given: str) -> None:
    with pytest.raises(DataError, match=rf"log.csv, column 'click', row 6: the label must be 0 or 1, but {given} was"):
        labels_of(values)
