from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rankelastor.data.cells.time_keys import TimeKeys
from rankelastor.data.raw.rows import RawRows
from rankelastor.errors import DataError


def order_of(*pieces: list[Any]) -> list[int]:
    times, keys, first_row = TimeKeys("t"), [], 1
    for piece in pieces:
        keys.append(times.keys(RawRows(pa.RecordBatch.from_pydict({"t": piece}), Path("log.csv"), first_row)))
        first_row += len(piece)
    order: list[int] = np.argsort(times.finish(np.concatenate(keys)), kind="stable").tolist()
    return order


def test_numbers_are_ordered_as_numbers_even_when_written_as_text() -> None:
    assert order_of(["10", "9"], ["-1"]) == [2, 1, 0]


def test_texts_are_ordered_as_texts_across_pieces() -> None:
    assert order_of(["2014-10-22", "2014-10-21"], ["2014-01-01", "2014-10-22"]) == [2, 1, 0, 3]


def test_numbers_of_a_typed_column_are_ordered() -> None:
    assert order_of([3, 1, 2]) == [1, 2, 0]


@pytest.mark.parametrize("pieces", [(["1", "yesterday"],), (["1"], ["yesterday"])])
def test_a_text_among_numbers_is_refused_wherever_pieces_end(pieces: tuple[list[str], ...]) -> None:
    with pytest.raises(
        DataError, match=r"column 't', row 2 must hold a number, as the first row does, but 'yesterday'"
    ):
        order_of(*pieces)


def test_a_blank_time_is_refused() -> None:
    with pytest.raises(DataError, match=r"column 't', row 2: the time to split by must not be blank"):
        order_of(["2014-10-22", ""])
    with pytest.raises(DataError, match=r"column 't', row 2: the time to split by must not be blank; fix the row"):
        order_of(["20141022", ""])


@pytest.mark.parametrize("as_given", [int, str])
def test_integers_that_float64_would_round_are_refused(as_given: Callable[[int], Any]) -> None:
    """Check integers from 2^53 on: as float64, 2^53 and 2^53 + 1 are the same number."""
    assert order_of([as_given(2**53 - 1), as_given(2**53 - 2)]) == [1, 0]
    message = r"column 't', row 3 must hold times below 2\^53, .* but 1413932400000000001 was given; .* nanoseconds"
    with pytest.raises(DataError, match=r"row 2 must hold times below 2\^53"):
        order_of([as_given(5), as_given(2**53 + 1)])
    with pytest.raises(DataError, match=message):
        order_of([as_given(5), as_given(6)], [as_given(1413932400000000001)])


def test_large_floats_are_as_exact_as_their_column() -> None:
    assert order_of([2.0**60, 2.0**54]) == [1, 0]
