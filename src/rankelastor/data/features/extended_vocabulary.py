"""Extend a vocabulary by the counts of another day: known values keep their ids, new ones get ids behind them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK
from rankelastor.data.features.rare_values import RareValues
from rankelastor.data.features.text_order import argsort_texts
from rankelastor.data.features.vocabulary import GivenIds, Vocabulary
from rankelastor.schema import PADDING_ID


@dataclass(frozen=True)
class FormerValues:
    """The values of a feature on all days so far: those with an id, and the rare ones."""

    vocabulary: Vocabulary
    rare: RareValues

    def known(self) -> pl.DataFrame:
        """Return the columns value, count, last_seen and id of the known values; a first day is day 0."""
        vocabulary = self.vocabulary
        given = vocabulary.given
        last_seen = np.zeros(len(vocabulary.values), dtype=np.int32) if given is None else given.last_seen
        return pl.DataFrame(
            {
                "value": vocabulary.values,
                "count": vocabulary.counts,
                "last_seen": last_seen,
                "id": vocabulary.known_ids,
            }
        )


@dataclass(frozen=True)
class NewDay:
    """The number of a day, counted from 0, and how long values stay.

    ``max_idle_days``: a value that no day held for this number of days goes; None: all stay.
    """

    number: int
    max_idle_days: int | None = None


def extend_vocabulary(
    former: FormerValues,
    values: pl.Series,
    counts: NDArray[np.int64],
    *,
    min_count: int,
    day: NewDay,
    keep: Collection[str] = (),
) -> FormerValues:
    """Add the counts of a day to those of the days before.

    Known values keep their ids. Values whose count reaches ``min_count`` get ids that are free, lowest first, then ids
    behind all others: most frequent first, then by value. Out of vocabulary keeps its id.

    Args:
        former: the values of the days before.
        values: distinct texts, in any order.
        counts: number of occurrences of each text in the train split of the day; texts without any are left out.
        min_count: values with a smaller count over all days have no id.
        day: the number of the day, and how long values stay.
        keep: values that stay however long they were not seen.

    Returns:
        The values of all days.

    Example:
        >>> first = Vocabulary(pl.Series(["a", "b"]), np.array([9, 5]))
        >>> rare = RareValues(pl.Series(["c"]), np.array([3]), np.array([0], dtype=np.int32))
        >>> texts, counts = pl.Series(["c", "a", "d"]), np.array([3, 1, 2])
        >>> after = extend_vocabulary(FormerValues(first, rare), texts, counts, min_count=5, day=NewDay(1))
        >>> after.vocabulary.values.to_list(), after.vocabulary.known_ids.tolist()
        (['a', 'b', 'c'], [1, 2, 4])
        >>> after.vocabulary.out_of_vocabulary_id, after.vocabulary.counts.tolist(), after.rare.values.to_list()
        (3, [10, 5, 6], ['d'])
    """
    before, blank = former.vocabulary, former.vocabulary.blank
    today = pl.DataFrame({"value": values, "today": counts}).filter(pl.col("today") > 0)
    if blank != "value":
        today = today.filter(pl.col("value") != BLANK)
    known = _with_today(former.known(), today, day)
    rare = _with_today(former.rare.table(), today, day)
    others = today.join(known, on="value", how="anti").join(rare, on="value", how="anti")
    fresh = others.select("value", count=pl.col("today").cast(pl.Int64), last_seen=pl.lit(day.number, dtype=pl.Int32))
    known, without_id = _still_in_use(known, day, keep), _still_in_use(pl.concat([rare, fresh]), day, ())
    becoming = _most_frequent_first(without_id.filter(pl.col("count") >= min_count))
    taken = {*known["id"].to_list(), before.out_of_vocabulary_id, PADDING_ID}
    ids = _new_ids(len(becoming), taken, before.num_ids)
    known = pl.concat([known, becoming.with_columns(id=pl.Series(ids, dtype=pl.Int32))]).sort("id")
    given = GivenIds(
        known["id"].to_numpy(),
        known["last_seen"].to_numpy(),
        before.out_of_vocabulary_id,
        max(before.num_ids, int(ids.max(initial=0)) + 1),
    )
    vocabulary = Vocabulary(known["value"], known["count"].to_numpy(), blank, given=given)
    return FormerValues(vocabulary, RareValues.of_table(without_id.filter(pl.col("count") < min_count)))


def kept_ids(before: Vocabulary, after: Vocabulary) -> NDArray[np.int32]:
    """Find the ids that stand for the same value in both vocabularies, rising.

    Example:
        >>> before = Vocabulary(pl.Series(["a", "b"]), np.array([2, 1]))
        >>> given = GivenIds(np.array([1, 2, 4]), np.zeros(3), out_of_vocabulary=3, num_ids=5)
        >>> kept_ids(before, Vocabulary(pl.Series(["a", "z", "b"]), np.array([2, 1, 1]), given=given)).tolist()
        [1]
    """
    ours, theirs = (
        pl.DataFrame({"value": each.values.rename("value"), "id": each.known_ids.astype(np.int32)})
        for each in (before, after)
    )
    ids: NDArray[np.int32] = ours.join(theirs, on=["value", "id"])["id"].sort().to_numpy()
    return ids


def _with_today(former: pl.DataFrame, today: pl.DataFrame, day: NewDay) -> pl.DataFrame:
    """Add the counts of today to those of former values."""
    seen = pl.col("today").is_not_null()
    joined = former.join(today, on="value", how="left", maintain_order="left")
    return joined.with_columns(
        count=(pl.col("count") + pl.col("today").fill_null(0)).cast(pl.Int64),
        last_seen=pl.when(seen).then(pl.lit(day.number)).otherwise(pl.col("last_seen")).cast(pl.Int32),
    ).drop("today")


def _still_in_use(values: pl.DataFrame, day: NewDay, keep: Collection[str]) -> pl.DataFrame:
    if day.max_idle_days is None:
        return values
    is_seen = pl.lit(day.number) - pl.col("last_seen") <= day.max_idle_days
    return values.filter(is_seen | pl.col("value").is_in(list(keep)))


def _most_frequent_first(values: pl.DataFrame) -> pl.DataFrame:
    by_value = argsort_texts(values["value"])
    return values[by_value[np.argsort(-values["count"].to_numpy()[by_value], kind="stable")]]


def _new_ids(number: int, taken: Collection[int], num_ids: int) -> NDArray[np.int32]:
    """List the ids of new values: those that are free, lowest first, then those from ``num_ids`` on."""
    free = np.setdiff1d(np.arange(num_ids), np.fromiter(taken, dtype=np.int64))[:number]
    behind = np.arange(num_ids, num_ids + number - len(free))
    return np.concatenate([free, behind]).astype(np.int32)
