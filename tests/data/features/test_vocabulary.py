from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.features.vocabulary import Vocabulary, require_vocabulary
from rankelastor.errors import DataError


def fit(counts: dict[str, int], *, min_count: int = 1, blank: BlankIds = "value") -> Vocabulary:
    values = pl.Series(list(counts), dtype=pl.String)
    return Vocabulary.fit(values, np.array(list(counts.values()), dtype=np.int64), min_count=min_count, blank=blank)


def ids(vocabulary: Vocabulary, *texts: str) -> list[int]:
    found: list[int] = vocabulary.ids(pl.Series(texts, dtype=pl.String)).tolist()
    return found


def test_ids_are_ordered_by_count_then_by_value() -> None:
    vocabulary = fit({"c": 1, "b": 2, "a": 2, "d": 5})
    assert ids(vocabulary, "d", "a", "b", "c") == [1, 2, 3, 4]
    assert vocabulary.counts.tolist() == [5, 2, 2, 1]


def test_equal_counts_are_ordered_by_bytes_and_not_by_a_language() -> None:
    assert fit({"é": 1, "z": 1, "Z": 1, "": 1}).values.to_list() == ["", "Z", "z", "é"]


def test_unknown_and_rare_values_share_the_last_id() -> None:
    vocabulary = fit({"a": 3, "b": 1}, min_count=2)
    assert vocabulary.num_ids == 3
    assert ids(vocabulary, "a", "b", "never seen", "") == [1, 2, 2, 2]


def test_a_value_seen_as_often_as_asked_is_known() -> None:
    assert ids(fit({"a": 2}, min_count=2), "a") == [1]


@pytest.mark.parametrize(("blank", "expected"), [("value", 1), ("out_of_vocabulary", 2), ("padding", 0)])
def test_a_blank_is_what_the_field_says(blank: BlankIds, expected: int) -> None:
    assert ids(fit({"": 9, "a": 1}, blank=blank), "") == [expected]


def test_a_blank_value_that_is_rare_is_out_of_vocabulary() -> None:
    assert ids(fit({"": 1, "a": 2}, min_count=2), "") == [2]


def test_a_vocabulary_of_nothing_knows_nothing() -> None:
    vocabulary = fit({"a": 1}, min_count=2)
    assert vocabulary.num_ids == 2
    assert ids(vocabulary, "a", "") == [1, 1]


@given(st.lists(st.text(max_size=3), max_size=30), st.lists(st.text(max_size=3)), st.integers(1, 3))
def test_ids_agree_with_a_naive_reference(train: list[str], other: list[str], min_count: int) -> None:
    counts = Counter(train)
    known = sorted((text for text in counts if counts[text] >= min_count), key=lambda t: (-counts[t], t.encode()))
    expected = [known.index(text) + 1 if text in known else len(known) + 1 for text in train + other]
    assert ids(fit(dict(counts), min_count=min_count), *train, *other) == expected


def test_ids_map_back_to_values() -> None:
    vocabulary = fit({"b": 1, "a": 2})
    assert vocabulary.values_by_id().to_list() == [None, "a", "b", None]


def test_a_vocabulary_survives_the_disk_and_is_plain_parquet(tmp_path: Path) -> None:
    vocabulary = fit({"b": 2, "a\n\"'": 2, "": 7})
    vocabulary.write(tmp_path / "x.parquet")
    again = Vocabulary.read(tmp_path / "x.parquet", blank="value")
    assert ids(again, "", "a\n\"'", "b", "?") == [1, 2, 3, 4]
    frame = pl.read_parquet(tmp_path / "x.parquet")
    assert frame.to_dict(as_series=False) == {"value": ["", "a\n\"'", "b"], "count": [7, 2, 2], "id": [1, 2, 3]}


def test_an_empty_vocabulary_survives_the_disk(tmp_path: Path) -> None:
    fit({}).write(tmp_path / "x.parquet")
    assert Vocabulary.read(tmp_path / "x.parquet", blank="value").num_ids == 2


def test_a_missing_vocabulary_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x.parquet must be a readable vocabulary, but"):
        Vocabulary.read(tmp_path / "x.parquet", blank="value")


def test_a_table_without_the_columns_of_a_vocabulary_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"value": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x.parquet must be a readable vocabulary, but .*count"):
        Vocabulary.read(tmp_path / "x.parquet", blank="value")


def test_a_vocabulary_of_another_size_than_expected_is_named(tmp_path: Path) -> None:
    Vocabulary(pl.Series(["a"]), np.array([1])).write(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x.parquet .* but it holds 1 values and not 2; run"):
        require_vocabulary(tmp_path / "x.parquet", num_ids=4)
