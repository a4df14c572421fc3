"""The values of a categorical feature and their ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, BlankIds
from rankelastor.data.features.text_order import argsort_texts
from rankelastor.data.features.value_hashes import hash_values
from rankelastor.data.interner import Interner
from rankelastor.errors import PREPARE_AGAIN, DataError
from rankelastor.remote.remote_path import AnyPath, readable
from rankelastor.schema import PADDING_ID


@dataclass(frozen=True)
class Vocabulary:
    """The known values of a feature, sorted by count (most frequent first), then by value (UTF-8 bytes).

    Id 0 is padding, ids 1..K are the K known values in that order, id K + 1 is out of vocabulary.
    ``counts`` holds the number of occurrences of each value in the train split. With a ``salt``, ``values`` holds
    hashes of the values instead, see ``hash_values``, and texts are hashed before they are looked up.

    Example:
        >>> vocabulary = Vocabulary.fit(pl.Series(["b", "a", "c"]), np.array([2, 2, 1]), min_count=2, blank="value")
        >>> vocabulary.values.to_list(), vocabulary.num_ids
        (['a', 'b'], 4)
        >>> vocabulary.ids(pl.Series(["b", "c"])).tolist()
        [2, 3]
    """

    values: pl.Series
    counts: NDArray[np.int64]
    blank: BlankIds = "value"
    salt: str | None = None

    @classmethod
    def fit(cls, values: pl.Series, counts: NDArray[np.int64], *, min_count: int, blank: BlankIds) -> Self:
        """Fit a vocabulary from distinct values and their counts in the train split.

        Args:
            values: distinct texts, in any order.
            counts: number of occurrences of each text in the train split.
            min_count: values with a smaller count are out of vocabulary.
            blank: whether the blank text is a value of its own, out of vocabulary, or padding.
        """
        known = pl.DataFrame({"value": values, "count": counts}).filter(pl.col("count") >= min_count)
        if blank != "value":
            known = known.filter(pl.col("value") != BLANK)
        by_value = argsort_texts(known["value"])
        order = by_value[np.argsort(-known["count"].to_numpy()[by_value], kind="stable")]
        return cls(known["value"].gather(order), known["count"].to_numpy()[order], blank)

    @property
    def num_ids(self) -> int:
        """Number of ids: padding, the known values, out of vocabulary."""
        return len(self.values) + 2

    @property
    def out_of_vocabulary_id(self) -> int:
        """The last id."""
        return len(self.values) + 1

    def ids(self, texts: pl.Series) -> NDArray[np.int32]:
        """Look up the id of each text; unknown texts are out of vocabulary. ``texts`` must hold no null."""
        by_text, id_by_rank = self._sorted
        unknown = np.int32(self.out_of_vocabulary_id)
        if len(by_text) == 0:
            ids = np.full(len(texts), unknown)
        else:
            sought = texts if self.salt is None else hash_values(texts, self.salt)
            ranks = by_text.search_sorted(sought).to_numpy().astype(np.int64).clip(max=len(by_text) - 1)
            is_known = (by_text.gather(ranks) == sought).to_numpy()
            ids = np.where(is_known, id_by_rank[ranks], unknown)
        if self.blank == "padding":
            ids[(texts == BLANK).to_numpy()] = PADDING_ID
        return ids

    def ids_of_codes(self, interner: Interner) -> NDArray[np.int32]:
        """Compute the table from codes, of the dictionary that the vocabulary was fitted from, to ids.

        Example:
            >>> interner = Interner()
            >>> _ = interner.codes(pl.Series(["a", "b", "c"]))
            >>> counts = np.array([1, 3, 2])
            >>> vocabulary = Vocabulary.fit(interner.values(), counts, min_count=2, blank="value")
            >>> vocabulary.ids_of_codes(interner).tolist()
            [3, 1, 2]
        """
        codes = interner.codes(self.values)
        ids = np.full(len(interner), self.out_of_vocabulary_id, dtype=np.int32)
        ids[codes] = np.arange(1, len(codes) + 1, dtype=np.int32)
        if self.blank == "padding":
            blank = interner.codes(pl.Series([BLANK]))
            ids[blank[blank < len(ids)]] = PADDING_ID
        return ids

    def hashed(self, salt: str) -> Vocabulary:
        """Make the vocabulary of the same ids that holds hashes in place of the values.

        Example:
            >>> plain = Vocabulary(pl.Series(["site-a", "site-b"]), np.array([3, 2]))
            >>> plain.hashed("00" * 16).ids(pl.Series(["site-b", "site-c"])).tolist()
            [2, 3]
        """
        assert self.salt is None, "hashes are not hashed again"
        return Vocabulary(hash_values(self.values, salt), self.counts, self.blank, salt)

    def values_by_id(self) -> pl.Series:
        """Return the text of each id; null for padding and out of vocabulary."""
        null = pl.Series([None], dtype=pl.String)
        return pl.concat([null, self.values.alias(""), null])

    def write(self, path: Path) -> None:
        """Write the columns value, count and id as Parquet."""
        ids = np.arange(1, len(self.values) + 1, dtype=np.int32)
        table = pa.table({"value": self.values.to_arrow(), "count": self.counts, "id": ids})
        pq.write_table(
            table, path, compression="zstd", use_dictionary=["count"]
        )  # the other columns hold distinct values

    @classmethod
    def read(cls, path: AnyPath, *, blank: BlankIds, num_ids: int | None = None, salt: str | None = None) -> Self:
        """Read what ``write`` wrote, and check it: texts without gaps, in order of ids, which falls with the counts.

        Args:
            path: the Parquet file.
            blank: the rule for the blank text.
            num_ids: the number of ids that it must give; None: any.
            salt: the salt of the hashes that it holds in place of values; None if it holds values.

        Raises:
            DataError: the file is missing or damaged, or holds another number of values.
        """
        if num_ids is not None:  # before memory is taken for them
            require_vocabulary(path, num_ids=num_ids)
        try:
            table = pq.read_table(readable(path), columns=["value", "count", "id"])
            if (damage := _find_damage(table, num_ids)) is not None:
                raise _damaged(path, damage)
            values = pl.Series("value", table["value"], dtype=pl.String)
            return cls(values, table["count"].to_numpy(), blank, salt)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise _damaged(path, error) from error

    @cached_property
    def _sorted(self) -> tuple[pl.Series, NDArray[np.int32]]:
        order = self.values.arg_sort()
        return self.values.gather(order), (order.to_numpy() + 1).astype(np.int32)


def read_counts(path: AnyPath) -> NDArray[np.int64]:
    """Read the train count of each known value, in order of ids: most frequent first.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        counts: NDArray[np.int64] = pq.read_table(readable(path), columns=["count"])["count"].to_numpy()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    return counts


def require_vocabulary(path: AnyPath, *, num_ids: int) -> None:
    """Check from the file footer alone that a vocabulary exists and has the expected size.

    Raises:
        DataError: the file is missing or damaged, or holds another number of values.
    """
    try:
        num_values = pq.read_metadata(readable(path)).num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if num_values + 2 != num_ids:
        raise _damaged(path, f"it holds {num_values} values and not {num_ids - 2}")


def _find_damage(table: pa.Table, num_ids: int | None) -> str | None:
    """Say what in a table is not as ``Vocabulary.write`` writes it; None if nothing is."""
    value, count, ids = (table[name] for name in ("value", "count", "id"))
    if num_ids is not None and len(value) + 2 != num_ids:
        return f"it holds {len(value)} values and not {num_ids - 2}"
    if not (pa.types.is_string(value.type) or pa.types.is_large_string(value.type)):
        return f"its values are {value.type} and not texts"
    if not (pa.types.is_integer(count.type) and pa.types.is_integer(ids.type)):
        return f"its counts are {count.type}, its ids {ids.type}, and not whole numbers"
    if value.null_count or count.null_count or ids.null_count:
        return "it has empty cells"
    in_order = np.array_equal(ids.to_numpy(), np.arange(1, len(value) + 1)) and np.all(np.diff(count.to_numpy()) <= 0)
    return None if in_order else "its ids are not 1, 2, 3, ... by falling counts"


def _damaged(path: AnyPath, reason: object) -> DataError:
    return DataError(f"{path} must be a readable vocabulary, but {reason}; run `{PREPARE_AGAIN}`", python=PREPARE_AGAIN)
