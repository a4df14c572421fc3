"""Sum float64 numbers exactly, so that the sum does not depend on their order or on how they are cut into pieces."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_HALF_BITS = 27
_PIECE = 1 << 20
_MANTISSA_BITS = 53


class ExactSum:
    """Accumulator of finite float64 numbers that rounds only when the sum is read.

    Each number is an integer of 53 bits times a power of two. The integers are added in two halves, separately for
    each power of two, so that no addition rounds; Python integers hold the totals.

    Example:
        >>> total = ExactSum()
        >>> total.add(np.array([1e16, 1.0]))
        >>> total.add(np.array([-1e16]))
        >>> total.value
        1.0
    """

    def __init__(self) -> None:
        self._by_exponent: dict[int, int] = {}

    def add(self, numbers: NDArray[np.float64]) -> None:
        """Add the numbers of an array."""
        for start in range(0, len(numbers), _PIECE):
            self._add_piece(numbers[start : start + _PIECE])

    @property
    def value(self) -> float:
        """The sum, rounded once."""
        return float(self.exact)

    @property
    def exact(self) -> Fraction:
        """The sum, not rounded."""
        return sum(
            (Fraction(total) * Fraction(2) ** exponent for exponent, total in self._by_exponent.items()), Fraction(0)
        )

    def _add_piece(self, numbers: NDArray[np.float64]) -> None:
        mantissas, exponents = np.frexp(numbers)
        integers = np.ldexp(mantissas, _MANTISSA_BITS).astype(np.int64)
        high = integers >> _HALF_BITS
        low = integers - (high << _HALF_BITS)
        smallest = int(exponents.min())
        places = exponents - smallest
        # Below 2**27 times 2**20 numbers: these float64 sums stay under 2**53 and are exact.
        highs, lows = np.bincount(places, weights=high), np.bincount(places, weights=low)
        for place in np.flatnonzero((highs != 0) | (lows != 0)):
            exponent = int(place) + smallest - _MANTISSA_BITS
            total = (int(highs[place]) << _HALF_BITS) + int(lows[place])
            self._by_exponent[exponent] = self._by_exponent.get(exponent, 0) + total
