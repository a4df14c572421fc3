import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.features.text_order import argsort_texts

TEXTS = st.one_of(st.text(max_size=3), st.text(alphabet="ab\0é", max_size=12), st.integers().map(str))


@given(st.lists(TEXTS, unique=True))
def test_texts_come_in_the_byte_order_of_their_utf8(texts: list[str]) -> None:
    order = argsort_texts(pl.Series(texts, dtype=pl.String))
    assert [texts[place] for place in order] == sorted(texts, key=str.encode)


@pytest.mark.parametrize("texts", [["z", "é"], ["a", ""], ["a\0", "a"], ["12345678", "1234567"], ["123456789", "2"]])
def test_short_long_and_odd_texts_by_hand(texts: list[str]) -> None:
    assert [texts[place] for place in argsort_texts(pl.Series(texts))] == sorted(texts, key=str.encode)


def test_a_slice_of_a_series_is_ordered_by_its_own_texts() -> None:
    assert argsort_texts(pl.Series(["q", "c", "b", "a"])[1:3]).tolist() == [1, 0]
