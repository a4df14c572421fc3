"""Compute exact quantiles of a column that is read in pieces, in bounded memory, and the buckets between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BlankIds
from rankelastor.schema import PADDING_ID

_DIGIT_BITS = 13
_NUM_DIGITS = 5
_KEY_BITS = 64


class OrderStatistics:
    """Radix selection: the numbers at given ranks of a column, without sorting it.

    A float64 is mapped to an unsigned integer of the same order, read as five digits of 13 bits. Each pass over the
    pieces counts one digit of the numbers whose prefix equals that of a wanted number. So memory is 8192 counts per
    distinct prefix of the wanted numbers, and neither the order nor the size of the pieces matters.

    Example:
        >>> select = OrderStatistics([0, 2])
        >>> while not select.done:
        ...     for piece in (np.array([3.0, -1.0]), np.array([7.5])):
        ...         select.add(piece)
        ...     select.end_pass()
        >>> select.values.tolist()
        [-1.0, 7.5]
    """

    def __init__(self, places: Iterable[int]) -> None:
        self._ranks = np.array(list(places), dtype=np.int64)
        self._prefixes = np.zeros(len(self._ranks), dtype=np.uint64)
        self._num_digits = 0
        self._start_pass()

    @property
    def done(self) -> bool:
        """Whether the numbers are known."""
        return self._num_digits == _NUM_DIGITS

    @property
    def values(self) -> NDArray[np.float64]:
        """The numbers at the given ranks, once ``done``."""
        assert self.done, "passes are left"
        return _numbers(self._prefixes)

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Count a piece in this pass. ``numbers`` must hold no NaN."""
        keys = _keys(numbers)
        known_bits = self._num_digits * _DIGIT_BITS
        if known_bits:
            prefixes = keys >> np.uint64(_KEY_BITS - known_bits)
            places = np.searchsorted(self._wanted, prefixes).clip(max=len(self._wanted) - 1)
            agree = self._wanted[places] == prefixes
            keys, places = keys[agree], places[agree]
        else:
            places = np.zeros(len(keys), dtype=np.int64)
        digits = (keys >> np.uint64(_shift(self._num_digits))) & np.uint64(_mask(self._num_digits))
        counted = np.bincount((places << _DIGIT_BITS) + digits.astype(np.int64), minlength=self._counts.size)
        self._counts += counted.reshape(self._counts.shape)

    def end_pass(self) -> None:
        """End a pass over all pieces: determine one more digit of each wanted number."""
        groups = np.searchsorted(self._wanted, self._prefixes)
        upto = np.cumsum(self._counts, axis=1)
        digits = np.array(
            [np.searchsorted(upto[group], rank, side="right") for group, rank in zip(groups, self._ranks, strict=True)],
            dtype=np.int64,
        )
        self._ranks = self._ranks - (upto[groups, digits] - self._counts[groups, digits])
        width = np.uint64(int(_mask(self._num_digits)).bit_length())
        self._prefixes = (self._prefixes << width) | digits.astype(np.uint64)
        self._num_digits += 1
        self._start_pass()

    def _start_pass(self) -> None:
        self._wanted = np.unique(self._prefixes)
        self._counts = np.zeros((len(self._wanted), 1 << _DIGIT_BITS), dtype=np.int64)


class ColumnQuantiles:
    """The numbers of a column at ranks that depend on how many there are: a pass that counts, then the selection.

    Blank (NaN) and infinite numbers are left out.

    Args:
        places: gives the wanted ranks for a number of numbers, which is at least 1.

    Example:
        >>> found = ColumnQuantiles(lambda count: [0, count - 1])
        >>> while not found.done:
        ...     found.add(np.array([3.0, -1.0, np.nan, 7.5]))
        ...     found.end_pass()
        >>> found.values.tolist()
        [-1.0, 7.5]
    """

    def __init__(self, places: Callable[[int], Iterable[int]]) -> None:
        self._places = places
        self._num_numbers = 0
        self._selection: OrderStatistics | None = None
        self._is_empty = False

    @property
    def done(self) -> bool:
        """Whether no further pass is needed."""
        return self._is_empty or (self._selection is not None and self._selection.done)

    @property
    def values(self) -> NDArray[np.float64]:
        """The numbers at the wanted ranks, once ``done``; empty if the column holds no number."""
        return np.empty(0) if self._selection is None else self._selection.values

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Add a piece in this pass."""
        numbers = numbers[np.isfinite(numbers)]
        if self._selection is None:
            self._num_numbers += len(numbers)
        else:
            self._selection.add(numbers)

    def end_pass(self) -> None:
        """End a pass, in which every piece was added once."""
        if self._selection is not None:
            self._selection.end_pass()
        elif self._num_numbers:
            self._selection = OrderStatistics(self._places(self._num_numbers))
        else:
            self._is_empty = True


def edge_places(num_rows: int, num_buckets: int) -> list[int]:
    """List the ranks in the sorted column at which buckets of equal mass start, including rank 0.

    Example:
        >>> edge_places(10, 4)
        [0, 2, 5, 7]
    """
    return [(bucket * num_rows) // num_buckets for bucket in range(num_buckets)]


def distinct_edges(starts: NDArray[np.float64]) -> tuple[float, ...]:
    """List the edges between buckets: the distinct numbers at ``edge_places``, so that no bucket is empty.

    There is none without numbers.

    Example:
        >>> distinct_edges(np.array([1.0, 1.0, 4.0, 4.0, 9.0]))
        (4.0, 9.0)
    """
    if not len(starts):
        return ()
    smallest, *others = starts.tolist()
    return tuple(sorted({start for start in others if start > smallest}))


def bucket_ids(numbers: NDArray[np.float64], edges: NDArray[np.float64], blank: BlankIds) -> NDArray[np.int32]:
    """Find the id of each number: 1 + the number of edges that are not above it.

    NaN is a blank: it gets the id after the last bucket (``value``), padding, or out of vocabulary (the last id).

    Example:
        >>> bucket_ids(np.array([-5.0, 1.0, 9.0, np.nan]), np.array([1.0, 2.0]), "value").tolist()
        [1, 2, 3, 4]
    """
    ids = (np.searchsorted(edges, numbers, side="right") + 1).astype(np.int32)
    is_blank = np.isnan(numbers)
    # With `value`, the id of blanks precedes out of vocabulary; with `out_of_vocabulary`, it is that id.
    ids[is_blank] = PADDING_ID if blank == "padding" else len(edges) + 2
    return ids


def positions_among(numbers: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """Find the position of each number among edges: k + w if it lies the share w of the way from edge k to the next.

    Edges are counted from 1. A number below the first or above the last edge has the position of that edge; NaN is a
    blank and has position 0.

    Example:
        >>> positions_among(np.array([1.0, 2.5, 99.0, -7.0, np.nan]), np.array([1.0, 2.0, 4.0])).tolist()
        [1.0, 2.25, 3.0, 1.0, 0.0]
    """
    is_blank = np.isnan(numbers)
    places = np.interp(np.where(is_blank, edges[0], numbers), edges, np.arange(1, len(edges) + 1))
    return np.where(is_blank, 0, places).astype(np.float32)


def num_bucket_ids(edges: tuple[float, ...], blank: BlankIds) -> int:
    """Count the ids: padding, the buckets, blanks if they have an id of their own, out of vocabulary.

    Example:
        >>> num_bucket_ids((1.0, 2.0), "value"), num_bucket_ids((1.0, 2.0), "padding")
        (6, 5)
    """
    return len(edges) + 3 + (blank == "value")


def _shift(digit: int) -> int:
    return max(0, _KEY_BITS - (digit + 1) * _DIGIT_BITS)


def _mask(digit: int) -> int:
    bits = min(_DIGIT_BITS, _KEY_BITS - digit * _DIGIT_BITS)
    return (1 << bits) - 1


def _keys(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Map numbers to integers of the same order: flip all bits of negative numbers and the sign bit of the others."""
    bits = numbers.view(np.uint64)
    negative = (bits >> np.uint64(63)).astype(bool)
    return np.where(negative, ~bits, bits | np.uint64(1 << 63))


def _numbers(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    positive = (keys >> np.uint64(63)).astype(bool)
    bits = np.where(positive, keys & np.uint64((1 << 63) - 1), ~keys)
    return bits.view(np.float64)
