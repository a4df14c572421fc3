import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.loading.epoch_steps import EpochSteps, World
from rankelastor.errors import DataError

ROWS, BATCH, WORLD = st.integers(1, 300), st.integers(1, 40), st.integers(1, 9)


def bounds(num_rows: int, batch_size: int, size: int) -> list[list[tuple[int, int]]]:
    """Compute the part of each step for each rank."""
    ranks = [EpochSteps(num_rows, batch_size, World(size, rank)) for rank in range(size)]
    return [[steps.bounds(index) for index in range(len(steps))] for steps in ranks]


@given(ROWS, BATCH, WORLD)
def test_all_ranks_together_see_each_place_once_in_order(num_rows: int, batch_size: int, size: int) -> None:
    ranks = bounds(num_rows + size, batch_size, size)
    in_order = [place for step in zip(*ranks, strict=True) for part in step for place in range(*part)]
    assert in_order == list(range(num_rows + size))


@given(ROWS, BATCH, WORLD)
def test_no_batch_is_empty_and_none_is_larger_by_more_than_one(num_rows: int, batch_size: int, size: int) -> None:
    for steps in bounds(num_rows + size, batch_size, size):
        sizes = [stop - start for start, stop in steps]
        assert all(count == batch_size for count in sizes[:-1])
        assert 1 <= sizes[-1] <= batch_size + 1


@given(ROWS, BATCH, WORLD)
def test_a_full_step_holds_what_one_process_would_take(num_rows: int, batch_size: int, size: int) -> None:
    ranks = bounds(num_rows + size, batch_size, size)
    alone = bounds(num_rows + size, batch_size * size, 1)[0]
    for index in range(len(ranks[0]) - 1):
        assert (ranks[0][index][0], ranks[-1][index][1]) == alone[index]


def test_a_remainder_smaller_than_the_world_joins_the_step_before() -> None:
    assert bounds(9, 2, 4) == [[(0, 2)], [(2, 4)], [(4, 6)], [(6, 9)]]
    assert bounds(12, 2, 4) == [[(0, 2), (8, 9)], [(2, 4), (9, 10)], [(4, 6), (10, 11)], [(6, 8), (11, 12)]]


def test_fewer_rows_than_processes_are_refused() -> None:
    with pytest.raises(
        DataError, match="each of 4 processes must get a row, but there are 3 rows; try fewer processes"
    ):
        EpochSteps(3, 2, World(4, 0))


@pytest.mark.parametrize("rank", [-1, 4])
def test_a_rank_outside_the_world_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank must lie in 0 to 3, but {rank} was given"):
        World(4, rank)
