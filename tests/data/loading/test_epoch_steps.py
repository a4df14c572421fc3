import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.collectives.world import World
from rankelastor.data.loading.epoch_steps import EpochSteps
from rankelastor.errors import DataError

ROWS, BATCH, WORLD = st.integers(1, 300), st.integers(1, 40), st.integers(1, 9)


def bounds(num_rows: int, batch_size: int, size: int) -> list[list[tuple[int, int]]]:
    """Compute the part of each step for each rank."""
    ranks = [EpochSteps(num_rows, batch_size, World(size, rank)) for rank in range(size)]
    return [[steps.bounds(index) for index in range(len(steps))] for steps in ranks]


@given(ROWS, BATCH, WORLD)
def test_all_ranks_together_see_each_place_once_in_order(num_rows: int, batch_size: int, size: int) -> None:
    ranks = bounds(num_rows + size, batch_size + size, size)
    in_order = [place for step in zip(*ranks, strict=True) for part in step for place in range(*part)]
    assert in_order == list(range(num_rows + size))


@given(ROWS, BATCH, WORLD)
def test_shares_differ_by_one_row_at_most(num_rows: int, batch_size: int, size: int) -> None:
    for step in zip(*bounds(num_rows + size, batch_size + size, size), strict=True):
        counts = [stop - start for start, stop in step]
        assert max(counts) - min(counts) <= 1


@given(ROWS, BATCH, WORLD)
def test_steps_hold_what_one_process_would_take(num_rows: int, batch_size: int, size: int) -> None:
    ranks = bounds(num_rows + size, batch_size + size, size)
    alone = bounds(num_rows + size, batch_size + size, 1)[0]
    assert [(first[0], last[1]) for first, last in zip(ranks[0], ranks[-1], strict=True)] == alone


def test_a_remainder_smaller_than_the_world_leaves_some_without_a_row() -> None:
    assert bounds(9, 8, 4) == [[(0, 2), (8, 8)], [(2, 4), (8, 8)], [(4, 6), (8, 8)], [(6, 8), (8, 9)]]


def test_fewer_rows_than_processes_are_refused() -> None:
    with pytest.raises(
        DataError,
        match="each of 4 processes must get a row, but there are 3 rows, and 4 in a batch; try fewer processes",
    ):
        EpochSteps(3, 4, World(4, 0))
    with pytest.raises(
        DataError, match="each of 4 processes must get a row, but there are 8 rows, and 3 in a batch; try fewer"
    ):
        EpochSteps(8, 3, World(4, 0))
