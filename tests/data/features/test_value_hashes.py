"""Tests of hashed vocabularies: the same ids, and no value to be read."""

import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.features.value_hashes import hash_values
from rankelastor.data.features.vocabulary import Vocabulary

SALT = "0123456789abcdef" * 2


def test_the_hash_is_keyed_blake2b() -> None:
    expected = hashlib.blake2b(b"phone", digest_size=16, key=bytes.fromhex(SALT)).hexdigest()
    assert hash_values(pl.Series(["phone"]), SALT).to_list() == [expected]


@pytest.mark.parametrize("blank", ["value", "padding", "out_of_vocabulary"])
@settings(max_examples=20)
@given(values=st.lists(st.text(max_size=4), unique=True, max_size=6), more=st.lists(st.text(max_size=4), max_size=6))
def test_hashed_vocabularies_give_the_ids_of_plain_ones(blank: BlankIds, values: list[str], more: list[str]) -> None:
    counts = np.arange(len(values), 0, -1)
    plain = Vocabulary.fit(pl.Series(values, dtype=pl.String), counts, min_count=1, blank=blank)
    texts = pl.Series([*values, *more, ""], dtype=pl.String)
    assert plain.hashed(SALT).ids(texts).tolist() == plain.ids(texts).tolist()
