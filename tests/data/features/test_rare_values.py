from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rankelastor.data.features.rare_values import RareValues
from rankelastor.errors import DataError


def test_rare_values_are_those_below_the_least_count_that_train_holds() -> None:
    texts, counts = pl.Series(["b", "a", "", "c", "valid only"]), np.array([2, 1, 1, 3, 0])
    rare = RareValues.of_first_day(texts, counts, min_count=3, blank="padding")
    assert rare.table().rows() == [("a", 1, 0), ("b", 2, 0)]


def test_reading_gives_what_was_written(tmp_path: Path) -> None:
    rare = RareValues(pl.Series(["a", "ä"]), np.array([1, 4]), np.array([0, 7], dtype=np.int32))
    rare.write(tmp_path / "site.parquet")
    assert RareValues.read(tmp_path / "site.parquet").table().rows() == [("a", 1, 0), ("ä", 4, 7)]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="must hold the counts of rare values"):
        RareValues.read(tmp_path / "site.parquet")
