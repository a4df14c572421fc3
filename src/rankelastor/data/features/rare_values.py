"""The values of a feature that are too rare for an id of their own, with their counts, which further days may raise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, BlankIds
from rankelastor.data.features.text_order import argsort_texts
from rankelastor.errors import PREPARE_AGAIN, DataError
from rankelastor.remote.remote_path import AnyPath, readable


@dataclass(frozen=True)
class RareValues:
    """Values that train holds fewer than ``min_count`` times, sorted (UTF-8 bytes), with their counts.

    ``last_seen`` is the day on which each was last in train, counted from 0.

    Example:
        >>> rare = RareValues.of_first_day(pl.Series(["b", "a", "c"]), np.array([1, 3, 2]), min_count=3, blank="value")
        >>> rare.values.to_list(), rare.counts.tolist(), rare.last_seen.tolist()
        (['b', 'c'], [1, 2], [0, 0])
    """

    values: pl.Series
    counts: NDArray[np.int64]
    last_seen: NDArray[np.int32]

    @classmethod
    def of_first_day(cls, values: pl.Series, counts: NDArray[np.int64], *, min_count: int, blank: BlankIds) -> Self:
        """Keep what ``Vocabulary.fit`` leaves out of the same values, and train holds."""
        rare = pl.DataFrame({"value": values, "count": counts}).filter(pl.col("count").is_between(1, min_count - 1))
        if blank != "value":
            rare = rare.filter(pl.col("value") != BLANK)
        return cls.of_table(rare.with_columns(last_seen=pl.lit(0, dtype=pl.Int32)))

    @classmethod
    def of_table(cls, rare: pl.DataFrame) -> Self:
        """Sort the rows of a table with the columns value, count and last_seen."""
        rare = rare[argsort_texts(rare["value"])]
        return cls(
            rare["value"],
            rare["count"].cast(pl.Int64).to_numpy(),
            rare["last_seen"].cast(pl.Int32).to_numpy(),
        )

    @classmethod
    def none(cls) -> Self:
        """Make the rare values of a vocabulary that has none."""
        return cls(pl.Series([], dtype=pl.String), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32))

    def table(self) -> pl.DataFrame:
        """Return the columns value, count and last_seen."""
        return pl.DataFrame({"value": self.values, "count": self.counts, "last_seen": self.last_seen})

    def write(self, path: Path) -> None:
        """Write the columns value, count and last_seen as Parquet."""
        table = pa.table({"value": self.values.to_arrow(), "count": self.counts, "last_seen": self.last_seen})
        pq.write_table(table, path, compression="zstd", use_dictionary=["count", "last_seen"])

    @classmethod
    def read(cls, path: AnyPath) -> Self:
        """Read what ``write`` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            table = pq.read_table(readable(path), columns=["value", "count", "last_seen"])
            values = pl.Series("value", table["value"], dtype=pl.String)
            return cls(values, table["count"].to_numpy(), table["last_seen"].to_numpy())
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise DataError(
                f"{path} must hold the counts of rare values, but {error}; run `{PREPARE_AGAIN}`", python=PREPARE_AGAIN
            ) from error
