"""Iterate over the train rows of staged parts, the only rows that features are fitted on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.building.row_splits import SplitCodes
from rankelastor.data.building.staging import StagedColumns, StagedPart
from rankelastor.schema import SPLITS

_TRAIN = SPLITS.index("train")


def train_rows(
    parts: Sequence[StagedPart], splits: SplitCodes
) -> Iterator[tuple[StagedPart, StagedColumns, NDArray[np.bool_]]]:
    """Yield each part that has train rows, with its columns and a mask of these rows."""
    start = 0
    for part in parts:
        is_train = splits[start : start + part.num_rows] == _TRAIN
        start += part.num_rows
        if is_train.any():
            yield part, part.columns(), is_train
