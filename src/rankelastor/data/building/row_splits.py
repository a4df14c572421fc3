"""Assign rows to splits: by their file, at random, by time, or in the order of the files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.cells.time_keys import TimeKey
from rankelastor.data.split_settings import FileOrderSplit, RandomSplit, SplitSettings, TimeSplit
from rankelastor.errors import DataError
from rankelastor.schema import SPLITS, SplitName

SplitCodes = NDArray[np.int8]
"""Index in ``SPLITS`` of the split of each row, one byte per row."""


def assign_by_file(parts: Sequence[tuple[SplitName | None, int]]) -> SplitCodes:
    """Assign rows to the splits that the files name; ``parts`` are (split, number of rows)."""
    codes = [SPLITS.index(split) for split, _ in parts if split is not None]
    assert len(codes) == len(parts), "every part has a split"
    return np.repeat(np.array(codes, dtype=np.int8), [num_rows for _, num_rows in parts])


def assign_rows(split: SplitSettings, num_rows: int, times: TimeKey | None, starts: Sequence[float] = ()) -> SplitCodes:
    """Assign each row to a split, with exact split sizes; rows keep their order within a split.

    Args:
        split: how to split.
        num_rows: number of rows of all files together.
        times: sortable time key per row; needed for a time split only.
        starts: the keys of the times at which valid and test begin; without them a time split is by shares.

    Example:
        >>> assign_rows(FileOrderSplit(kind="file_order", valid=0.25, test=0.25), 4, None).tolist()
        [0, 0, 1, 2]

    Raises:
        DataError: a split would be empty.
    """
    if starts:
        assert times is not None
        return _by_starts(times, starts)
    sizes = _sizes(split, num_rows)
    codes = np.repeat(np.arange(len(SPLITS), dtype=np.int8), sizes)
    match split:
        case RandomSplit():
            np.random.Generator(np.random.PCG64(split.seed % 2**63)).shuffle(codes)
            return codes
        case TimeSplit():
            assert times is not None
            by_time = np.empty_like(codes)
            by_time[np.argsort(times, kind="stable")] = codes
            return by_time
        case FileOrderSplit():
            return codes


def _by_starts(times: TimeKey, starts: Sequence[float]) -> SplitCodes:
    """Assign rows by the times at which valid and test begin."""
    codes = np.zeros(len(times), dtype=np.int8)
    for start in starts:
        codes += times >= start
    for name, size in zip(SPLITS, np.bincount(codes, minlength=len(starts) + 1).tolist(), strict=False):
        if not size:
            raise DataError(
                f"the split {name} must hold rows, but no row lies in its time; check data.split.valid_from and "
                "data.split.test_from"
            )
    return codes


def _sizes(split: SplitSettings, num_rows: int) -> tuple[int, int, int]:
    num_valid, num_test = round(num_rows * split.valid), round(num_rows * split.test)
    sizes = (num_rows - num_valid - num_test, num_valid, num_test)
    wanted = (1 - split.valid - split.test, split.valid, split.test)
    for name, size, fraction in zip(SPLITS, sizes, wanted, strict=True):
        if size <= 0 and fraction > 0:
            raise DataError(
                f"the split {name} must hold rows, but {fraction:.6g} of {num_rows} rows is none; "
                "raise its share in data.split, or give more rows"
            )
    return sizes
