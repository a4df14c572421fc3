from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankelastor.data.features.extended_vocabulary import FormerValues, NewDay, extend_vocabulary, kept_ids
from rankelastor.data.features.rare_values import RareValues
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.errors import DataError

Days = list[list[str]]


def first_day(texts: list[str], min_count: int) -> FormerValues:
    values, counts = counted(texts)
    return FormerValues(
        Vocabulary.fit(values, counts, min_count=min_count, blank="value"),
        RareValues.of_first_day(values, counts, min_count=min_count, blank="value"),
    )


def counted(texts: list[str]) -> tuple[pl.Series, np.ndarray]:
    counts = Counter(texts)
    return pl.Series(list(counts), dtype=pl.String), np.array(list(counts.values()), dtype=np.int64)


def after(days: Days, *, min_count: int, max_idle_days: int | None = None) -> FormerValues:
    former = first_day(days[0], min_count)
    for number, texts in enumerate(days[1:], 1):
        day = NewDay(number, max_idle_days)
        former = extend_vocabulary(former, *counted(texts), min_count=min_count, day=day)
    return former


def ids_of(former: FormerValues) -> dict[str, int]:
    return dict(zip(former.vocabulary.values.to_list(), former.vocabulary.known_ids.tolist(), strict=True))


def naive(days: Days, *, min_count: int, max_idle_days: int | None) -> tuple[dict[str, int], dict[str, int]]:
    """Do the same with dictionaries: the ids of known values, and the counts of all values that are kept."""
    counts: Counter[str] = Counter()
    last_seen: dict[str, int] = {}
    ids: dict[str, int] = {}
    unseen, num_ids = 0, 0
    for number, texts in enumerate(days):
        counts.update(texts)
        last_seen |= dict.fromkeys(texts, number)
        for text in [text for text in counts if max_idle_days and number - last_seen[text] > max_idle_days]:
            del counts[text]
            ids.pop(text, None)
        new = [text for text in counts if counts[text] >= min_count and text not in ids]
        free = [index for index in range(1, num_ids) if index not in ids.values() and index != unseen]
        for text in sorted(new, key=lambda text: (-counts[text], text.encode())):
            ids[text] = free.pop(0) if free else max(num_ids, 1)
            num_ids = max(num_ids, ids[text] + 1)
        if number == 0:
            unseen, num_ids = len(ids) + 1, len(ids) + 2
    return ids, dict(counts)


@given(
    st.lists(st.lists(st.sampled_from("abcdefgä"), max_size=12), min_size=1, max_size=6),
    st.integers(1, 4),
    st.none() | st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_ids_and_counts_are_those_of_dictionaries(days: Days, min_count: int, max_idle_days: int | None) -> None:
    found = after(days, min_count=min_count, max_idle_days=max_idle_days)
    ids, counts = naive(days, min_count=min_count, max_idle_days=max_idle_days)
    assert ids_of(found) == ids
    known = dict(zip(found.vocabulary.values.to_list(), found.vocabulary.counts.tolist(), strict=True))
    rare = dict(zip(found.rare.values.to_list(), found.rare.counts.tolist(), strict=True))
    assert known | rare == counts
    assert not known.keys() & rare.keys()


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=9), min_size=2, max_size=5), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_a_known_value_keeps_its_id_on_all_later_days(days: Days, min_count: int) -> None:
    for number in range(1, len(days)):
        before, now = after(days[:number], min_count=min_count), after(days[: number + 1], min_count=min_count)
        assert ids_of(before).items() <= ids_of(now).items()
        assert now.vocabulary.out_of_vocabulary_id == before.vocabulary.out_of_vocabulary_id
        assert kept_ids(before.vocabulary, now.vocabulary).tolist() == sorted(ids_of(before).values())


def test_counts_below_the_least_one_add_up_over_days() -> None:
    days = [["a"] * 5 + ["b"] * 3, ["b"] * 3]
    assert "b" not in ids_of(after(days[:1], min_count=5))
    assert ids_of(after(days, min_count=5)) == {"a": 1, "b": 3}


def test_the_id_of_a_value_that_is_long_unseen_goes_to_the_next_new_value() -> None:
    days = [["a", "a", "b"], ["a"], ["a", "c"]]
    found = after(days, min_count=1, max_idle_days=1)
    assert ids_of(found) == {"a": 1, "c": 2}
    assert found.vocabulary.num_ids == 4
    again = after([*days, ["b"]], min_count=1, max_idle_days=1)
    assert ids_of(again) == {"a": 1, "b": 4, "c": 2}
    assert again.vocabulary.counts.tolist() == [4, 1, 1], "what is forgotten is counted anew"


def test_a_value_that_is_needed_stays() -> None:
    former = first_day(["a", "b"], 1)
    day = NewDay(5, max_idle_days=1)
    found = extend_vocabulary(former, *counted([]), min_count=1, day=day, keep={"b"})
    assert ids_of(found) == {"b": 2}


def test_unseen_texts_get_the_fixed_id_and_known_ones_theirs() -> None:
    vocabulary = after([["a", "b"], ["c"]], min_count=1).vocabulary
    assert vocabulary.ids(pl.Series(["c", "z", "a", "b"])).tolist() == [4, 3, 1, 2]
    assert vocabulary.values_by_id().to_list() == [None, "a", "b", None, "c"]
    assert [vocabulary.text_of(index) for index in (1, 2, 4)] == ["a", "b", "c"]
    assert vocabulary.hashed("00" * 16).ids(pl.Series(["c", "z"])).tolist() == [4, 3]


def test_an_extended_vocabulary_is_read_as_it_was_written(tmp_path: Path) -> None:
    vocabulary = after([["a", "b", "b"], ["c", "c", "c"], ["c", "b"]], min_count=1, max_idle_days=1).vocabulary
    vocabulary.write(tmp_path / "site.parquet")
    read = Vocabulary.read(tmp_path / "site.parquet", blank="value", num_ids=5, unseen_id=3)
    assert read.values.to_list() == ["b", "c"]
    assert read.known_ids.tolist() == [1, 4]
    assert read.counts.tolist() == [3, 4]
    assert read.given is not None
    assert read.given.last_seen.tolist() == [2, 2]


def test_ids_that_collide_with_out_of_vocabulary_are_damage(tmp_path: Path) -> None:
    after([["a", "b"], ["c"]], min_count=1).vocabulary.write(tmp_path / "site.parquet")
    with pytest.raises(DataError, match="its ids do not rise"):
        Vocabulary.read(tmp_path / "site.parquet", blank="value", num_ids=5, unseen_id=4)
    with pytest.raises(DataError, match="holds 3 values and not 2"):
        Vocabulary.read(tmp_path / "site.parquet", blank="value", num_ids=4, unseen_id=3)
