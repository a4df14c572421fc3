import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankelastor.data.building.row_splits import assign_by_file, assign_rows
from rankelastor.data.split_settings import FileOrderSplit, RandomSplit, TimeSplit
from rankelastor.errors import DataError

TIME = TimeSplit(kind="time", column="t", valid=0.2, test=0.2)


def test_rows_of_named_files_go_where_their_file_says() -> None:
    assert assign_by_file([("train", 2), ("valid", 1), ("test", 1), ("train", 1)]).tolist() == [0, 0, 1, 2, 0]


def test_the_first_rows_train_and_the_last_test() -> None:
    codes = assign_rows(FileOrderSplit(kind="file_order", valid=0.2, test=0.4), 5, None)
    assert codes.tolist() == [0, 0, 1, 2, 2]


def test_the_oldest_rows_train_and_the_newest_test() -> None:
    assert assign_rows(TIME, 5, np.array([50.0, 10.0, 40.0, 20.0, 30.0])).tolist() == [2, 0, 1, 0, 0]


def test_equal_times_keep_the_order_of_the_files() -> None:
    assert assign_rows(TIME, 5, np.zeros(5)).tolist() == [0, 0, 0, 1, 2]


@given(st.integers(40, 500), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(-5, 2**70))
def test_a_random_split_has_exact_sizes(num_rows: int, valid: float, test: float, seed: int) -> None:
    codes = assign_rows(RandomSplit(kind="random", valid=valid, test=test, seed=seed), num_rows, None)
    sizes = np.bincount(codes, minlength=3).tolist()
    assert sizes[1:] == [round(num_rows * valid), round(num_rows * test)]
    assert sum(sizes) == num_rows


def test_the_random_split_depends_on_its_seed_alone() -> None:
    first, again, other = (assign_rows(RandomSplit(kind="random", seed=seed), 100, None).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_without_a_test_share_there_is_no_test_split() -> None:
    assert set(assign_rows(RandomSplit(kind="random", test=0.0), 20, None).tolist()) == {0, 1}


@pytest.mark.parametrize(("num_rows", "name"), [(4, "valid"), (1, "valid"), (0, "train")])
def test_a_split_that_would_be_empty_is_refused(num_rows: int, name: str) -> None:
    with pytest.raises(DataError, match=f"the split {name} must hold rows, but .* of {num_rows} rows is none"):
        assign_rows(RandomSplit(kind="random"), num_rows, None)
