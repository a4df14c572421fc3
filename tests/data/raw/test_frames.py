"""Frames of polars, pandas and Arrow are read as raw rows."""

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from rankelastor.data.raw.frames import Frame, frame_rows, is_frame
from rankelastor.errors import DataError

ARROW = pa.table({"user": ["a", "b"], "price": [1.5, None]})
FRAMES: list[Frame] = [
    ARROW,
    ARROW.to_batches()[0],
    pl.DataFrame(ARROW),
    {"user": ["a", "b"], "price": [1.5, None]},
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: f"{type(frame).__module__}.{type(frame).__name__}")
def test_a_frame_is_its_columns(frame: Frame) -> None:
    assert is_frame(frame)
    (rows,) = frame_rows(frame)
    assert rows.table.to_pydict() == {"user": ["a", "b"], "price": [1.5, None]}
    assert (str(rows.file), rows.first_row) == ("the frame", 1)


def test_a_reader_is_read_once_in_pieces() -> None:
    reader = pa.RecordBatchReader.from_batches(ARROW.schema, ARROW.to_batches() * 3)
    assert [rows.first_row for rows in frame_rows(reader)] == [1, 3, 5]


def test_a_frame_without_rows_is_one_empty_piece() -> None:
    (rows,) = frame_rows(pl.DataFrame(schema={"user": pl.String, "seen": pl.List(pl.Int64)}))
    assert (rows.num_rows, rows.names) == (0, ("user", "seen"))


class PandasLike:
    """A frame as pandas exports it: an index that no column name tells is a column of its own."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        table = ARROW.append_column("__index_level_0__", pa.array([7, 9]))
        return table.__arrow_c_stream__(requested_schema)


def test_the_index_of_a_pandas_frame_is_left_out() -> None:
    (rows,) = frame_rows(PandasLike())
    assert rows.names == ("user", "price")


class Unexportable:
    """A frame with a column of several types, which pandas allows."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise pa.ArrowTypeError("Expected bytes, got a 'int' object, in column user")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Unexportable(), "the frame must hold columns of one type each, but Expected bytes.*; convert the column"),
        ({"user": ["a", 1]}, "the frame must hold columns of one type each, but"),
        ({"user": ["a"], "price": [1, 2]}, "the frame must hold columns of one type each, but"),
        (pl.LazyFrame({"user": ["a"]}), r"the frame must be .*, but polars.LazyFrame was given; call .collect\(\)"),
        ([{"user": "a"}], r"the frame must be a frame of polars, .* but list was given; try polars.DataFrame"),
        (7, "but int was given"),
        (None, "but NoneType was given"),
    ],
)
def test_what_is_no_frame_is_refused_in_words(frame: Any, message: str, without_shape_checks: None) -> None:
    with pytest.raises(DataError, match=message):
        list(frame_rows(frame))


def test_a_column_that_stands_twice_is_refused() -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["user", "user"])
    with pytest.raises(DataError, match="the frame must name each column once, but 'user' occurs twice"):
        list(frame_rows(twice))
