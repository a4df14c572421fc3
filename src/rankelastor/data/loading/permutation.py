"""Permutations that can be read at any place without what comes before: drawn where small, computed where large."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

LARGEST_DRAWN = 2**20
"""Up to so many items the permutation itself is drawn: 4 MB at most."""

NUM_ROUNDS = 10
"""Rounds of the Feistel network, half of them on each digit."""


class Permutation(Protocol):
    """A one-to-one map of 0 ... num_items - 1 to itself."""

    def at(self, places: Places) -> Places:
        """The items that stand at these places."""


def permutation(num_items: int, key: np.random.SeedSequence) -> Permutation:
    """A permutation from ``key`` alone.

    Up to ``LARGEST_DRAWN`` items it is drawn by Fisher and Yates' shuffle, uniformly. Beyond, a Feistel network over
    drawn round functions computes it: time and memory to set it up grow with the square root of ``num_items``.

    Example:
        >>> small = permutation(4, np.random.SeedSequence(1))
        >>> sorted(small.at(np.arange(4)).tolist())
        [0, 1, 2, 3]
    """
    generator = np.random.Generator(np.random.PCG64(key))
    if num_items <= LARGEST_DRAWN:
        return DrawnPermutation(num_items, generator)
    return FeistelPermutation(num_items, generator)


class DrawnPermutation:
    """All items in an order that is uniform over all orders; 4 bytes an item."""

    def __init__(self, num_items: int, generator: np.random.Generator) -> None:
        self._items = np.arange(num_items, dtype=np.int32)
        generator.shuffle(self._items)

    def at(self, places: Places) -> Places:
        """The items that stand at these places."""
        return self._items.take(places).astype(np.int64)


class FeistelPermutation:
    """A pseudo-random permutation, computed place by place.

    A place is written with two digits, ``place = left * b + right`` with ``left`` below a and ``right`` below b, where
    a * b is the smallest such product that holds all items. Each round adds to one digit a function of the other,
    modulo a or b: one-to-one whatever the function is. The functions are tables drawn uniformly, so nothing rests on
    a hash of our own. Results that are no item (fewer than one in the square root) go through the network again.

    Source: Luby and Rackoff 1988 (SIAM J. Computing 17); digits to any base: Black and Rogaway 2002 (CT-RSA);
    six rounds suffice against all numbers of questions well below the number of places: Patarin 2004 (CRYPTO).

    Args:
        num_items: two or more.
        generator: draws the tables, ``rounds / 2 * (a + b)`` numbers.
        rounds: an even number.
    """

    def __init__(self, num_items: int, generator: np.random.Generator, *, rounds: int = NUM_ROUNDS) -> None:
        assert num_items > 1, "a digit below 1 has nothing to permute"
        self._num_items = num_items
        self._left = math.isqrt(num_items - 1) + 1
        self._right = -(-num_items // self._left)
        left, right = (generator.integers(0, base, (rounds // 2, other)) for base, other in self._bases)
        self._tables = list(zip(left, right, strict=True))

    @property
    def _bases(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self._left, self._right), (self._right, self._left)

    def at(self, places: Places) -> Places:
        """The items that stand at these places."""
        items = self._through(places)
        outside = np.flatnonzero(items >= self._num_items)
        while len(outside):
            items[outside] = self._through(items[outside])
            outside = outside[items[outside] >= self._num_items]
        return items

    def _through(self, places: Places) -> Places:
        left = places // self._right
        right = places - left * self._right
        spare = np.empty_like(left)
        for of_right, of_left in self._tables:
            _add_modulo(left, of_right, right, self._left, spare)
            _add_modulo(right, of_left, left, self._right, spare)
        left *= self._right
        left += right
        return left


def _add_modulo(digit: Places, table: Places, other: Places, base: int, spare: Places) -> None:
    """``digit = (digit + table[other]) % base``, in place."""
    # With "clip" NumPy writes straight to `out`; no index is out of range.
    np.take(table, other, out=spare, mode="clip")
    digit += spare
    # Below 2 * base the remainder is the smaller of digit and digit - base, where negative wraps to huge: no branch
    # and no division, ten times as fast.
    unsigned, reduced = digit.view(np.uint64), spare.view(np.uint64)
    np.subtract(unsigned, np.uint64(base), out=reduced)
    np.minimum(unsigned, reduced, out=unsigned)
