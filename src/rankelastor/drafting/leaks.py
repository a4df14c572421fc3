"""Find columns that give the label away."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK
from rankelastor.drafting.profile import ColumnProfile

_LEAST_ROWS = 50
_MOST_VALUES = 50


def gives_label_away(profile: ColumnProfile, label: NDArray[np.bool_]) -> str | None:
    """Say how a column gives the label away; None if it does not, or if there are too few rows to tell.

    A column does if each of its few values (a blank among them) stands beside one label only, if it is blank for
    exactly the rows of one label, or if all its numbers beside one label lie above those beside the other.

    Example:
        >>> import pyarrow as pa
        >>> from rankelastor.drafting.profile import profile_table
        >>> (column,) = profile_table(pa.table({"click_time": ["", "10:03"] * 50}))
        >>> gives_label_away(column, np.arange(100) % 2 == 1)
        'each of its values stands beside one label only'
    """
    if profile.cells is None or profile.num_rows < _LEAST_ROWS or label.all() or not label.any():
        return None
    frame = pl.DataFrame({"cells": profile.cells, "label": label})
    if ((frame["cells"] == BLANK) == frame["label"]).n_unique() == 1 and len(profile.distinct) > _MOST_VALUES:
        return "it is blank for exactly the rows of one label"
    if len(profile.distinct) <= _MOST_VALUES:
        per_value = frame.group_by("cells").agg(pl.col("label").n_unique())["label"]
        return "each of its values stands beside one label only" if per_value.max() == 1 else None
    return _lies_apart(profile, frame)


def _lies_apart(profile: ColumnProfile, frame: pl.DataFrame) -> str | None:
    if profile.numbers is None:
        return None
    numbers = frame.select(pl.col("cells").str.strip_chars(" \t").cast(pl.Float64, strict=False), "label").drop_nulls()
    ranges = numbers.group_by("label").agg(pl.min("cells").alias("low"), pl.max("cells").alias("high")).sort("label")
    if ranges.height != 2:  # noqa: PLR2004 - one range a label
        return None
    (_, low_0, high_0), (_, low_1, high_1) = ranges.rows()
    apart = high_0 < low_1 or high_1 < low_0
    return "its numbers beside one label all lie above those beside the other" if apart else None
