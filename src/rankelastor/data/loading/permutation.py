"""Permutations with random access: drawn if small, computed by a Feistel network if large."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

LARGEST_DRAWN = 2**20
"""Largest number of items of a drawn permutation, which takes 4 MB."""

NUM_ROUNDS = 10
"""Number of rounds of the Feistel network, half of them on each digit."""


class Permutation(Protocol):
    """A permutation of 0 ... num_items - 1."""

    def at(self, places: Places) -> Places:
        """Return the items at these positions."""


def permutation(num_items: int, key: np.random.SeedSequence) -> Permutation:
    """Make a permutation that depends on ``num_items`` and ``key`` alone.

    Up to ``LARGEST_DRAWN`` items it is drawn uniformly by a Fisher-Yates shuffle. Beyond that, a Feistel network with
    random round functions computes it: its setup takes time and memory of order ``sqrt(num_items)``.

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
    """A permutation drawn uniformly and stored, 4 bytes per item."""

    def __init__(self, num_items: int, generator: np.random.Generator) -> None:
        self._items = np.arange(num_items, dtype=np.int32)
        generator.shuffle(self._items)

    def at(self, places: Places) -> Places:
        """Return the items at these positions."""
        return self._items.take(places).astype(np.int64)


class FeistelPermutation:
    """A pseudo-random permutation, computed position by position.

    A position is written with two digits, ``left * b + right`` with ``left`` below a and ``right`` below b, where
    a = ceil(sqrt(num_items)) and a * b is the smallest multiple of a that holds all items. Each round adds to one
    digit a function of the other, modulo a or b, which is one-to-one for any function. The functions are tables drawn
    uniformly, so the quality does not depend on a hash of our own. Results that are not items (a share of at most
    about 1 / sqrt(num_items)) pass through the network again (cycle walking).

    Source: Luby and Rackoff 1988 (SIAM J. Computing 17); digits to any base: Black and Rogaway 2002 (CT-RSA);
    six rounds suffice for any number of queries well below the number of positions: Patarin 2004 (CRYPTO).

    Args:
        num_items: number of items, two or more.
        generator: draws the tables, ``rounds / 2 * (a + b)`` numbers.
        rounds: number of rounds, an even number.
    """

    def __init__(self, num_items: int, generator: np.random.Generator, *, rounds: int = NUM_ROUNDS) -> None:
        assert num_items > 1, "one item has no permutation to draw"
        self._num_items = num_items
        self._left = math.isqrt(num_items - 1) + 1
        self._right = -(-num_items // self._left)
        left, right = (generator.integers(0, base, (rounds // 2, other)) for base, other in self._bases)
        self._tables = list(zip(left, right, strict=True))

    @property
    def _bases(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self._left, self._right), (self._right, self._left)

    def at(self, places: Places) -> Places:
        """Return the items at these positions."""
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
    """Compute ``digit = (digit + table[other]) % base`` in place."""
    # With "clip", NumPy writes to `out` without a buffer; no index is out of range.
    np.take(table, other, out=spare, mode="clip")
    digit += spare
    # Below 2 * base the remainder is the unsigned minimum of digit and digit - base, since negative numbers wrap
    # around: without branches and divisions this is ten times as fast.
    unsigned, reduced = digit.view(np.uint64), spare.view(np.uint64)
    np.subtract(unsigned, np.uint64(base), out=reduced)
    np.minimum(unsigned, reduced, out=unsigned)
