from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.kinds.cells import CellSource, Numbering
from rankelastor.data.kinds.match import MatchPart, MatchSpec, first_of_buckets
from rankelastor.data.raw.rows import RawRows
from rankelastor.schema import CategoricalFeature


def match(part: MatchPart, *, max_length: int = 4) -> MatchSpec:
    return MatchSpec(
        name="m", column="past", part=part, candidate="item", separator=None, max_length=max_length, text="canonical"
    )


def encode(spec: MatchSpec, past: Sequence[list[str] | None], item: Sequence[str | None]) -> list[int]:
    table = {"past": pa.array(past, pa.list_(pa.string())), "item": pa.array(item, pa.string())}
    source = CellSource(RawRows(pa.RecordBatch.from_pydict(table), Path("log.parquet")), ["NA"], Numbering.none())
    ids: list[int] = spec.encode(spec.parse(source)).tolist()
    return ids


def test_times_seen_and_steps_ago_are_counted_from_the_newest_element() -> None:
    past: list[list[str] | None] = [["a", "b", "a"], ["b", "c"], ["a", "", "b", "c"], ["a", "x", "x", "x", "x"]]
    item: list[str | None] = ["a", "a", "a", "a"]
    assert encode(match("times_seen"), past, item) == [3, 1, 2, 1]  # 2, 0, 1, and 0 of the newest four
    assert encode(match("steps_ago"), past, item) == [2, 1, 5, 1]  # 1, never, 4, never


@pytest.mark.parametrize("part", ["times_seen", "steps_ago"])
def test_nothing_to_compare_is_padding(part: MatchPart) -> None:
    assert encode(match(part), [[], None, ["", "NA"], ["a"], ["a"]], ["a", "a", "a", "", None]) == [0, 0, 0, 0, 0]


def test_values_are_compared_by_their_spelling() -> None:
    assert encode(match("times_seen"), [["12.0", "7"]], ["12"]) == [2]
    assert encode(match("times_seen").model_copy(update={"text": "as_written"}), [["12.0", "7"]], ["12"]) == [1]


@given(st.lists(st.tuples(st.lists(st.sampled_from(["a", "b", ""]), max_size=12), st.sampled_from("abc")), min_size=1))
def test_matches_are_those_of_a_plain_loop(rows: list[tuple[list[str], str]]) -> None:
    def loop(newest: list[str], item: str) -> tuple[int, int]:
        if not any(newest):
            return 0, 0
        steps = [step for step, element in enumerate(reversed(newest), start=1) if element == item]
        bucket = [
            int(np.searchsorted([1, 2, 3, 4, 5, 7], number, side="right"))
            for number in (len(steps), min(steps, default=0))
        ]
        return bucket[0] + 1, bucket[1] + 1

    expected = [loop(past[-8:], item) for past, item in rows]
    past, items = [list(each) for each, _ in rows], [item for _, item in rows]
    assert encode(match("times_seen", max_length=8), past, items) == [times for times, _ in expected]
    assert encode(match("steps_ago", max_length=8), past, items) == [steps for _, steps in expected]


def test_ids_are_named_by_their_range() -> None:
    spec = match("steps_ago", max_length=30)
    assert spec.feature == CategoricalFeature("m", 12)
    meaning = spec.meaning(None)
    names = [meaning.text_of(index) for index in range(1, 12)]
    assert names == ["not seen", "1", "2", "3", "4", "5..6", "7..8", "9..12", "13..16", "17..24", "25..30"]
    assert meaning.blank_ids == (0,)
    assert (spec.describe(), match("times_seen").describe()) == ("steps since item was seen", "times item was seen")


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 5, 8, 100])
def test_buckets_begin_within_the_numbers_and_cover_them(largest: int) -> None:
    firsts = first_of_buckets(largest)
    assert firsts[0] == 1
    assert firsts[-1] <= largest
    assert (np.diff(firsts) > 0).all()
    widths = np.diff(np.append(firsts, largest + 1))
    assert widths.max() <= max(1, largest / 2)


def test_a_match_of_columns_in_other_types_is_read_alike() -> None:
    table = {"past": pa.array([[3, 12], [7]], pa.list_(pa.int64())), "item": pa.array([12.0, 8.0])}
    source = CellSource(RawRows(pa.RecordBatch.from_pydict(table), Path("log.parquet")), [], Numbering.none())
    assert match("steps_ago").encode(match("steps_ago").parse(source)).tolist() == [2, 1]
