import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.cells.texts import BlankIds
from rankelastor.data.features.quantiles import OrderStatistics, bucket_ids, distinct_edges, edge_places, num_bucket_ids

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64) | st.sampled_from([0.0, 1.0, -1.0, 5e-324])


def edges_of(numbers: list[float], num_buckets: int, num_pieces: int = 1) -> tuple[float, ...]:
    select = OrderStatistics(edge_places(len(numbers), num_buckets))
    while not select.done:
        for piece in np.array_split(np.array(numbers, dtype=np.float64) + 0.0, num_pieces):
            select.add(piece)
        select.end_pass()
    return distinct_edges(select.values)


def test_ten_numbers_fall_into_four_buckets_of_equal_mass() -> None:
    numbers = [9.0, 0.0, 8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 4.0]
    edges = edges_of(numbers, 4)
    assert edges == (2.0, 5.0, 7.0)
    ids = bucket_ids(np.sort(numbers), np.array(edges), "value")
    assert ids.tolist() == [1, 1, 2, 2, 2, 3, 3, 4, 4, 4]


def test_ties_make_fewer_buckets_and_none_is_empty() -> None:
    assert edges_of([1.0] * 8 + [2.0, 3.0], 5) == (2.0,)
    assert edges_of([4.0] * 5, 3) == ()


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.integers(2, 12), st.integers(1, 5))
def test_edges_equal_those_of_the_sorted_column(numbers: list[float], num_buckets: int, num_pieces: int) -> None:
    ordered = sorted(number + 0.0 for number in numbers)
    starts = {ordered[bucket * len(ordered) // num_buckets] for bucket in range(num_buckets)}
    assert edges_of(numbers, num_buckets, num_pieces) == tuple(sorted(starts - {ordered[0]}))


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.integers(2, 12))
def test_every_bucket_holds_a_train_number(numbers: list[float], num_buckets: int) -> None:
    edges = edges_of(numbers, num_buckets)
    ids = bucket_ids(np.array(numbers) + 0.0, np.array(edges), "value")
    assert set(ids.tolist()) == set(range(1, len(edges) + 2))


@pytest.mark.parametrize(
    ("blank", "num_ids", "blank_id"), [("value", 6, 4), ("padding", 5, 0), ("out_of_vocabulary", 5, 4)]
)
def test_a_blank_goes_where_it_should(blank: BlankIds, num_ids: int, blank_id: int) -> None:
    assert num_bucket_ids((1.0, 2.0), blank) == num_ids
    assert bucket_ids(np.array([np.nan]), np.array([1.0, 2.0]), blank).tolist() == [blank_id]
