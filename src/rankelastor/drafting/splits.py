"""Choose how the rows are split into train, valid and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.building.row_splits import assign_rows
from rankelastor.data.split_settings import FileOrderSplit, RandomSplit, SplitSettings, TimeSplit
from rankelastor.drafting.draft import Choice
from rankelastor.drafting.profile import ColumnProfile
from rankelastor.drafting.times import TimeColumn, split_column
from rankelastor.schema import SPLITS

_LEAST_TIMES = 10


def choose_split(times: Sequence[TimeColumn], profiles: Sequence[ColumnProfile]) -> Choice[SplitSettings]:
    """Choose a split by time where a column tells it; else at random.

    A log in order of a time that has few values is split in the order of the file, so that its rows stay in order.

    Example:
        >>> choose_split([], []).value.kind
        'random'
    """
    time = split_column(times)
    if time is None:
        return Choice(RandomSplit(kind="random", valid=0.1, test=0.1, seed=1), _why_random(times))
    cells = next(profile for profile in profiles if profile.name == time.name)
    if len(cells.distinct) >= _LEAST_TIMES:
        split = TimeSplit(kind="time", column=time.name, valid=0.1, test=0.1)
        return Choice(split, f"{time.name} tells when: the newest rows are test, as when the model is used")
    assert cells.cells is not None, "times are plain cells"
    if cells.cells.is_sorted():
        reason = f"the rows are in order of {time.name}, which has only {len(cells.distinct)} values"
        return Choice(FileOrderSplit(kind="file_order", valid=0.1, test=0.1), reason)
    reason = f"{time.name} has only {len(cells.distinct)} values, too few to cut between them"
    return Choice(RandomSplit(kind="random", valid=0.1, test=0.1, seed=1), reason)


def train_rows(split: SplitSettings, profiles: Sequence[ColumnProfile]) -> NDArray[np.int64]:
    """Find the rows that the split gives to train, if the table is the whole log; about those if it is its beginning.

    Example:
        >>> import pyarrow as pa
        >>> column = ColumnProfile("site", pa.string(), pl.Series(["a", "b", "c", "d"]))
        >>> train_rows(FileOrderSplit(kind="file_order", valid=0.25, test=0.25), [column]).tolist()
        [0, 1]
    """
    times = None
    if isinstance(split, TimeSplit):
        cells = next(profile.cells for profile in profiles if profile.name == split.column)
        assert cells is not None, "times are plain cells"
        numbers = cells.cast(pl.Float64, strict=False)
        times = (cells if numbers.has_nulls() else numbers).rank("dense").to_numpy().astype(np.int64)
    num_rows = max(profile.num_rows for profile in profiles)
    return np.flatnonzero(assign_rows(split, num_rows, times) == SPLITS.index("train"))


def _why_random(times: Sequence[TimeColumn]) -> str:
    if not times:
        return "no column tells the time; if the rows are in order of time, file_order is better"
    names = ", ".join(time.name for time in times)
    return f"{names} cannot be sorted by time as it stands (blanks, or a format that does not sort)"
