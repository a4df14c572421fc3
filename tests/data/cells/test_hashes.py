import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.hashes import hashed_ids
from rankelastor.data.cells.texts import BlankIds

MASK = 0xFFFFFFFF


def rotate(number: int, places: int) -> int:
    return (number << places | number >> (32 - places)) & MASK


def murmur(data: bytes) -> int:
    """Compute MurmurHash3_x86_32 with seed 0, written from its definition."""
    state, whole = 0, len(data) // 4 * 4
    blocks = [data[start : start + 4] for start in range(0, whole, 4)]
    for block in [*blocks, data[whole:]]:
        mixed = rotate(int.from_bytes(block, "little") * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK
        state ^= mixed
        if len(block) == 4:
            state = (rotate(state, 13) * 5 + 0xE6546B64) & MASK
    state ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = (state ^ state >> shift) * factor & MASK
    return state ^ state >> 16


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5), st.integers(1, 2**31 - 3))
def test_the_hash_is_murmur3_of_the_utf8_bytes(texts: list[str], num_buckets: int) -> None:
    ids = hashed_ids(pl.Series(texts, dtype=pl.String), num_buckets=num_buckets, blank="value")
    assert ids.tolist() == [1 + murmur(text.encode()) % num_buckets for text in texts]


def test_another_process_gives_the_same_ids() -> None:
    program = (
        "import polars as pl; from rankelastor.data.cells.hashes import hashed_ids; "
        "print(hashed_ids(pl.Series(['a', 'b', 'Zürich']), num_buckets=1000, blank='value').tolist())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str([1 + murmur(text.encode()) % 1000 for text in ("a", "b", "Zürich")])


@pytest.mark.parametrize(("blank", "expected"), [("value", 1), ("padding", 0), ("out_of_vocabulary", 11)])
def test_a_blank_goes_where_it_should(blank: BlankIds, expected: int) -> None:
    assert hashed_ids(pl.Series([""]), num_buckets=10, blank=blank).tolist() == [expected]
