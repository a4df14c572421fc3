from concurrent.futures import ThreadPoolExecutor

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.interner import Interner


@given(st.lists(st.lists(st.text())))
def test_codes_map_back_to_the_texts_across_batches(batches: list[list[str]]) -> None:
    interner = Interner()
    codes = [interner.codes(pl.Series(batch, dtype=pl.String)) for batch in batches]
    values = interner.values()
    assert [values.gather(each).to_list() for each in codes] == batches
    assert sorted(values.to_list()) == sorted({text for batch in batches for text in batch})


def test_two_interners_do_not_share_their_texts() -> None:
    first, second = Interner(), Interner()
    first.codes(pl.Series(["a", "b"]))
    assert second.codes(pl.Series(["b"])).tolist() == [0]
    assert len(first) == 2
    assert len(second) == 1


def test_threads_may_share_an_interner() -> None:
    interner = Interner()
    texts = [pl.Series([str(number % 997 + part) for number in range(3000)]) for part in range(40)]
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(interner.codes, texts))
    values = interner.values()
    assert all(values.gather(code).equals(text) for code, text in zip(codes, texts, strict=True))
    assert len(values) == values.n_unique() == 997 + 39
