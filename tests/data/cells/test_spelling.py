"""One value has one text, whatever stores it."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.spelling import first_merged, spell, spell_texts

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]


def texts_of(cells: pa.Array) -> list[str | None]:
    texts: list[str | None] = spell(cells).to_pylist()
    return texts


@pytest.mark.parametrize("kind", [*INTEGERS, *FLOATS, pa.decimal128(22, 2), pa.decimal256(50, 7)], ids=str)
def test_whole_numbers_are_spelled_as_integers_in_every_type(kind: pa.DataType) -> None:
    assert texts_of(pa.array([0, 7, 100, None]).cast(kind)) == ["0", "7", "100", None]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pa.array([12345678901.0, 2.0**53 - 1, -3e10]), ["12345678901", "9007199254740991", "-30000000000"]),
        (pa.array([-0.0, 0.0]), ["0", "0"]),
        (pa.array([float("nan"), float("inf"), float("-inf")]), [None, "inf", "-inf"]),
        (pa.array([0.1, 1234567890123.5, 1e-7, 0.0001, 1e-5]), ["0.1", "1234567890123.5", "1e-07", "0.0001", "1e-05"]),
        (pa.array([0.1, 16777215.0, 1e-5], pa.float32()), ["0.1", "16777215", "1e-05"]),
        (pa.array([0.1, 2047.0], pa.float16()), ["0.1", "2047"]),
        (pa.array([Decimal("8.00"), Decimal("8.50"), Decimal("-0.00")]), ["8", "8.5", "0"]),
        (pa.array([Decimal("100")], pa.decimal128(5, -2)), ["100"]),
        (pa.array([Decimal("0.00000001")], pa.decimal128(20, 10)), ["0.00000001"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([dt.date(2024, 1, 31)]), ["2024-01-31"]),
        (pa.array([dt.date(2024, 1, 31)], pa.date64()), ["2024-01-31"]),
        (pa.array([dt.time(10, 0, 0)], pa.time64("ns")), ["10:00:00"]),
        (pa.array([None, None], pa.null()), [None, None]),
        (pa.array(["12.0", "a"], pa.large_string()), ["12.0", "a"]),
    ],
)
def test_values_of_other_types_have_one_text(cells: pa.Array, expected: list[str | None]) -> None:
    assert texts_of(cells) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_have_one_text_in_every_unit(unit: Any) -> None:
    moment = dt.datetime(2024, 1, 31, 10, 0, 7)  # noqa: DTZ001
    assert texts_of(pa.array([moment, None], pa.timestamp(unit))) == ["2024-01-31 10:00:07", None]
    zoned = pa.array([moment.replace(tzinfo=dt.UTC)], pa.timestamp(unit, "Europe/Berlin"))
    assert texts_of(zoned) == ["2024-01-31 10:00:07Z"]
    assert texts_of(pa.array([dt.timedelta(minutes=2)], pa.duration(unit))) == ["120"]
    if unit != "s":
        half = moment.replace(microsecond=500_000)
        assert texts_of(pa.array([half], pa.timestamp(unit))) == ["2024-01-31 10:00:07.5"]
        assert texts_of(pa.array([dt.timedelta(seconds=1.5)], pa.duration(unit))) == ["1.5"]


@pytest.mark.parametrize(("kind", "bits"), [(pa.float16(), 11), (pa.float32(), 24), (pa.float64(), 53)], ids=str)
def test_whole_floats_from_the_first_that_is_rounded_on_are_found(kind: pa.DataType, bits: int) -> None:
    exact = pa.array([2.0**bits - 1, 0.5, None, float("inf"), float("nan")]).cast(kind)
    assert first_merged(exact) is None
    assert first_merged(pa.array([1.0, -(2.0**bits)]).cast(kind)) == 1
    assert first_merged(pa.array([2**60])) is None


SAME = [
    "1.10",
    "00123",
    "0e123456",
    "1e5",
    "+1.0",
    "-0",
    ".0",
    "0.",
    "1,0",
    "1.0.0",
    "12.0a",
    "01.0",
    "tRUE",
    "t",
    " 12.0",
    "NaN",
    "İ",
    "\uff34RUE",  # a full-width T
]
OTHER = {
    "12.0": "12",
    "-7.000": "-7",
    "0.0": "0",
    "-0.0": "0",
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    " ": "",
    "\t ": "",
    "9" * 30 + ".0": "9" * 30,
}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
def test_only_whole_decimals_truth_values_and_spaces_alone_are_respelled(kind: pa.DataType) -> None:
    written = [*SAME, *OTHER, None, ""]
    expected = [*SAME, *OTHER.values(), None, ""]
    cells = pa.array(written, kind)
    assert spell_texts(cells, "canonical").to_pylist() == expected
    assert spell_texts(cells.slice(3, len(written) - 4), "canonical").to_pylist() == expected[3:-1]
    blank = [text if text is None or text.strip(" \t") else "" for text in written]
    assert spell_texts(cells, "as_written").to_pylist() == blank


TEXTS = st.text(st.sampled_from("0123456789.-eE+ tTrRuUaAlLsSfFé\t"), max_size=6)


@given(st.lists(TEXTS | st.sampled_from(list(OTHER)) | st.none(), max_size=30), st.integers(0, 5))
def test_the_quick_look_at_bytes_misses_nothing(texts: list[str | None], start: int) -> None:
    """Compare with the rules applied to each text: they are cheap to state and slow to run."""
    import re  # noqa: PLC0415 - the naive reference alone

    def naive(text: str | None) -> str | None:
        if text is None:
            return None
        whole = re.fullmatch(r"(-?(?:0|[1-9][0-9]*))\.0+", text)
        if whole:
            return "0" if whole[1] == "-0" else whole[1]
        if text in {"True", "TRUE", "true", "False", "FALSE", "false"}:
            return text.lower()
        return text if text.strip(" \t") else ""

    cells = pa.array(texts, pa.string()).slice(start)
    assert spell_texts(cells, "canonical").to_pylist() == [naive(text) for text in texts[start:]]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-4, max_value=2.0**53 - 1), min_size=1))
def test_a_float_has_the_text_that_polars_writes_to_csv_and_its_rule_for_texts_gives(values: list[float]) -> None:
    text = io.BytesIO()
    pl.DataFrame({"x": values}).write_csv(text)
    written = pa.array(text.getvalue().decode().split()[1:])
    assert texts_of(pa.array(values)) == spell_texts(written, "canonical").to_pylist()
    assert (
        texts_of(pa.array(values)) == spell_texts(pa.array([repr(value) for value in values]), "canonical").to_pylist()
    )


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_keep_all_digits(values: list[int]) -> None:
    assert texts_of(pa.array(values, pa.int64())) == [str(value) for value in values]
