"""The values of a categorical feature and their ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, BlankIds
from rankelastor.data.features.text_order import argsort_texts
from rankelastor.data.features.value_hashes import hash_values
from rankelastor.errors import PREPARE_AGAIN, DataError
from rankelastor.remote.remote_path import AnyPath, readable
from rankelastor.schema import PADDING_ID


@dataclass(frozen=True)
class GivenIds:
    """The ids of a vocabulary that was extended: they stay when values are added, so that they follow no count.

    ``ids`` holds that of each known value, rising, and ``last_seen`` the day on which it was last in train, counted
    from 0; ``out_of_vocabulary`` is what it was on the first day. Ids below ``num_ids`` that neither names are free.
    """

    ids: NDArray[np.int32]
    last_seen: NDArray[np.int32]
    out_of_vocabulary: int
    num_ids: int


@dataclass(frozen=True)
class Vocabulary:
    """The known values of a feature, sorted by count (most frequent first), then by value (UTF-8 bytes).

    Id 0 is padding, ids 1..K are the K known values in that order, id K + 1 is out of vocabulary. If the vocabulary was
    extended by further days, ``given`` says which ids there are, and the values are in order of their ids.
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
    given: GivenIds | None = None

    @classmethod
    def fit(cls, values: pl.Series, counts: NDArray[np.int64], *, min_count: int, blank: BlankIds) -> Self:
        """Fit a vocabulary from distinct values and their counts in the train split.

        Args:
            values: distinct texts, in any order.
            counts: number of occurrences of each text in the train split.
            min_count: values with a smaller count are out of vocabulary.
            blank: whether the blank text is a value of its own, out of vocabulary, or padding.
        """
        return cls.of_order(values, counts, order_values(values, counts, min_count=min_count, blank=blank), blank)

    @classmethod
    def of_order(cls, values: pl.Series, counts: NDArray[np.int64], order: NDArray[np.int64], blank: BlankIds) -> Self:
        """Make the vocabulary of the values at the places ``order``, see ``order_values``."""
        return cls(values.gather(order).alias("value"), counts[order], blank)

    @property
    def num_ids(self) -> int:
        """Number of ids: padding, the known values, out of vocabulary, and those that are free."""
        return len(self.values) + 2 if self.given is None else self.given.num_ids

    @property
    def out_of_vocabulary_id(self) -> int:
        """The id of unseen values: the last one of a vocabulary that was not extended."""
        return len(self.values) + 1 if self.given is None else self.given.out_of_vocabulary

    @property
    def unseen_id(self) -> int | None:
        """The id of unseen values if that is not the last one because the vocabulary was extended; else None."""
        return None if self.given is None else self.given.out_of_vocabulary

    @property
    def known_ids(self) -> NDArray[np.int32]:
        """The id of each known value, in their order."""
        return np.arange(1, len(self.values) + 1, dtype=np.int32) if self.given is None else self.given.ids

    def text_of(self, index: int) -> str:
        """Return the value of a known id."""
        place = index - 1 if self.given is None else int(np.searchsorted(self.given.ids, index))
        return str(self.values[place])

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

    def ids_of_codes(self, codes: NDArray[Any], *, num_codes: int, blank_code: int) -> NDArray[np.int32]:
        """Compute the table from the codes of a dictionary to ids.

        Args:
            codes: the code of each known value, in their order.
            num_codes: number of codes of the dictionary.
            blank_code: the code of the blank text.

        Example:
            >>> vocabulary = Vocabulary(pl.Series(["b", "c"]), np.array([3, 2]), blank="padding")
            >>> vocabulary.ids_of_codes(np.array([2, 3]), num_codes=4, blank_code=0).tolist()
            [0, 3, 1, 2]
        """
        ids = np.full(num_codes, self.out_of_vocabulary_id, dtype=np.int32)
        ids[codes] = self.known_ids
        if self.blank == "padding":
            ids[blank_code] = PADDING_ID
        return ids

    def hashed(self, salt: str) -> Vocabulary:
        """Make the vocabulary of the same ids that holds hashes in place of the values.

        Example:
            >>> plain = Vocabulary(pl.Series(["site-a", "site-b"]), np.array([3, 2]))
            >>> plain.hashed("00" * 16).ids(pl.Series(["site-b", "site-c"])).tolist()
            [2, 3]
        """
        assert self.salt is None, "hashes are not hashed again"
        return Vocabulary(hash_values(self.values, salt), self.counts, self.blank, salt, self.given)

    def values_by_id(self) -> pl.Series:
        """Return the text of each id; null for padding, out of vocabulary and free ids."""
        places = np.full(self.num_ids, len(self.values))
        places[self.known_ids] = np.arange(len(self.values))
        null = pl.Series([None], dtype=pl.String)
        return pl.concat([self.values.alias(""), null]).gather(places)

    def write(self, path: Path) -> None:
        """Write the columns value, count and id, and last_seen of an extended vocabulary, as Parquet."""
        columns = {"value": self.values.to_arrow(), "count": self.counts, "id": self.known_ids}
        if self.given is not None:
            columns["last_seen"] = self.given.last_seen
        pq.write_table(
            pa.table(columns), path, compression="zstd", use_dictionary=["count"]
        )  # the other columns hold distinct values

    @classmethod
    def read(
        cls,
        path: AnyPath,
        *,
        blank: BlankIds,
        num_ids: int | None = None,
        unseen_id: int | None = None,
        salt: str | None = None,
    ) -> Self:
        """Read what ``write`` wrote, and check it: texts without gaps, in order of ids, which falls with the counts.

        Args:
            path: the Parquet file.
            blank: the rule for the blank text.
            num_ids: the number of ids that it must give; None: any. Required with ``unseen_id``.
            unseen_id: the out-of-vocabulary id of an extended vocabulary, whose ids follow no counts; else None.
            salt: the salt of the hashes that it holds in place of values; None if it holds values.

        Raises:
            DataError: the file is missing or damaged, or holds another number of values.
        """
        if num_ids is not None:  # before memory is taken for them
            require_vocabulary(path, num_ids=num_ids, unseen_id=unseen_id)
        columns = ["value", "count", "id", *(["last_seen"] if unseen_id is not None else [])]
        try:
            table = pq.read_table(readable(path), columns=columns)
            if (damage := _find_damage(table, num_ids, unseen_id)) is not None:
                raise _damaged(path, damage)
            values = pl.Series("value", table["value"], dtype=pl.String)
            given = None
            if unseen_id is not None and num_ids is not None:
                given = GivenIds(table["id"].to_numpy(), table["last_seen"].to_numpy(), unseen_id, num_ids)
            return cls(values, table["count"].to_numpy(), blank, salt, given)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise _damaged(path, error) from error

    @cached_property
    def _sorted(self) -> tuple[pl.Series, NDArray[np.int32]]:
        order = self.values.arg_sort()
        return self.values.gather(order), self.known_ids[order.to_numpy()].astype(np.int32)


def order_values(values: pl.Series, counts: NDArray[np.int64], *, min_count: int, blank: BlankIds) -> NDArray[np.int64]:
    """Find the places of the known values among distinct texts, in order of their ids; see ``Vocabulary.fit``.

    Example:
        >>> order_values(pl.Series(["", "b", "a", "c"]), np.array([9, 2, 2, 1]), min_count=2, blank="padding").tolist()
        [2, 1]
    """
    is_known = counts >= min_count
    if blank != "value":
        is_known &= (values != BLANK).to_numpy()
    by_value = np.flatnonzero(is_known)[argsort_texts(values.filter(pl.Series(is_known)))]
    return by_value[np.argsort(-counts[by_value], kind="stable")]


def read_counts(path: AnyPath) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Read the id and the train count of each known value, in order of ids: most frequent first unless extended.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(readable(path), columns=["id", "count"])
        return table["id"].to_numpy(), table["count"].to_numpy()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error


def require_vocabulary(path: AnyPath, *, num_ids: int, unseen_id: int | None = None) -> None:
    """Check from the file footer alone that a vocabulary exists and has the expected size.

    One that was extended (``unseen_id`` is not None) may have free ids.

    Raises:
        DataError: the file is missing or damaged, or holds another number of values.
    """
    try:
        num_values = pq.read_metadata(readable(path)).num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not _may_hold(num_values, num_ids, unseen_id):
        raise _damaged(path, f"it holds {num_values} values and not {num_ids - 2}")


def _may_hold(num_values: int, num_ids: int, unseen_id: int | None) -> bool:
    return num_values + 2 == num_ids if unseen_id is None else num_values + 2 <= num_ids


def _find_damage(table: pa.Table, num_ids: int | None, unseen_id: int | None) -> str | None:
    """Say what in a table is not as ``Vocabulary.write`` writes it; None if nothing is."""
    value, count, ids = (table[name] for name in ("value", "count", "id"))
    if num_ids is not None and not _may_hold(len(value), num_ids, unseen_id):
        return f"it holds {len(value)} values and not {num_ids - 2}"
    if not (pa.types.is_string(value.type) or pa.types.is_large_string(value.type)):
        return f"its values are {value.type} and not texts"
    if not (pa.types.is_integer(count.type) and pa.types.is_integer(ids.type)):
        return f"its counts are {count.type}, its ids {ids.type}, and not whole numbers"
    if value.null_count or count.null_count or ids.null_count:
        return "it has empty cells"
    if unseen_id is not None:
        known = ids.to_numpy()
        rises = not len(known) or (known[0] > PADDING_ID and bool(np.all(np.diff(known) > 0)))
        fits = not len(known) or num_ids is None or known[-1] < num_ids
        return None if rises and fits and unseen_id not in known else "its ids do not rise, or leave their range"
    in_order = np.array_equal(ids.to_numpy(), np.arange(1, len(value) + 1)) and np.all(np.diff(count.to_numpy()) <= 0)
    return None if in_order else "its ids are not 1, 2, 3, ... by falling counts"


def _damaged(path: AnyPath, reason: object) -> DataError:
    return DataError(f"{path} must be a readable vocabulary, but {reason}; run `{PREPARE_AGAIN}`", python=PREPARE_AGAIN)
