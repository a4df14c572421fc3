from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rankelastor.data.cells.labels import LabelSettings, parse_labels
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError, SettingsError


def labels_of(values: Any, positive: bool | float | str | None = None) -> list[float]:
    rows = RawRows(pa.RecordBatch.from_pydict({"click": values}), Path("log.csv"), first_row=5)
    labels: list[float] = parse_labels(rows, LabelSettings(column="click", positive=positive)).tolist()
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
        [" 1 ", "0\t"],
        [" TRUE", "false "],
        [Decimal("1.00"), Decimal("0.00")],
        pa.array([1.0, 0.0], pa.float16()),
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
        ([0.0, float("nan")], "a blank"),
        (["0", " "], "a blank"),
    ],
)
def test_any_other_label_is_refused_with_its_row(values: Any, given: str) -> None:
    with pytest.raises(DataError, match=rf"log.csv, column 'click', row 6: the label must be 0 or 1, but {given} was"):
        labels_of(values)


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        (["yes", "no", "Yes", "maybe"], "yes", [1, 0, 0, 0]),
        (["5", "5.0", "4", "none"], 5, [1, 1, 0, 0]),
        ([5.0, 4.5], 4.5, [0, 1]),
        ([3, 7], "3", [1, 0]),
        ([True, False], True, [1, 0]),
        ([True, False], False, [0, 1]),
        ([True, False], "true", [1, 0]),
        (pa.array(["on", "off"]).dictionary_encode(), "on", [1, 0]),
        ([" yes ", "no"], "yes", [1, 0]),
        (["8", "8.00", "9"], "8.0", [1, 1, 0]),
        ([Decimal("8.00"), Decimal("9.00")], "8", [1, 0]),
        (["True", "FALSE", "true"], True, [1, 0, 1]),
        (["True", "FALSE", "true"], "TRUE", [1, 0, 1]),
    ],
)
def test_what_equals_the_positive_value_is_one_and_all_else_zero(
    values: Any, positive: bool | float | str, expected: list[float]
) -> None:
    assert labels_of(values, positive) == expected


@pytest.mark.parametrize("values", [["yes", ""], ["yes", None]])
def test_a_blank_is_refused_beside_a_positive_value_too(values: list[str | None]) -> None:
    with pytest.raises(
        DataError, match=r"log.csv, column 'click', row 6: the label must not be blank, but a blank was"
    ):
        labels_of(values, "yes")


@pytest.mark.parametrize(("positive", "example"), [(True, "yes"), (False, "no")])
@pytest.mark.parametrize("values", [["yes", "no"], [1, 0]])
def test_a_bare_yes_is_refused_with_what_to_write(values: Any, positive: bool, example: str) -> None:
    message = rf'data.label.positive must be a value of column \'click\', .* write positive: "{example}" in quotes'
    with pytest.raises(SettingsError, match=message):
        labels_of(values, positive)


def test_the_quoted_word_is_the_one_that_the_column_holds() -> None:
    with pytest.raises(SettingsError, match=r'YAML reads a bare yes, on or true so: write positive: "On" in quotes'):
        labels_of(["On", "Off"], True)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (["yes", "no"], r'try data\.label: \{column: click, positive: "yes"\}$'),
        (["N", "Y"], r'try data\.label: \{column: click, positive: "Y"\}$'),
        ([-1, 1], r"try data\.label: \{column: click, positive: 1\}$"),
        (
            ["a", "b"],
            r"fix the row, or name the value that counts as 1: data\.label: \{column: click, positive: VALUE\}",
        ),
        ([1, None], r"but a blank was given; fill it in, or leave the row out$"),
    ],
)
def test_labels_other_than_zero_and_one_show_the_setting_that_names_the_positive_value(
    values: list[Any], advice: str
) -> None:
    with pytest.raises(DataError, match=advice):
        labels_of(values, None)


def test_a_label_without_positive_value_is_written_as_its_column() -> None:
    name: Any = LabelSettings(column="click").model_dump(mode="json")
    assert name == "click"
    whole = LabelSettings(column="click", positive="yes").model_dump(mode="json")
    assert whole == {"column": "click", "positive": "yes"}
