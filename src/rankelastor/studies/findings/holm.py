"""The correction of p-values for many comparisons by Holm's method."""

from __future__ import annotations

from collections.abc import Sequence

CORRECTION = "Holm"
"""Name of the correction."""


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values so that the probability of any false alarm among them stays that of one; None stays None.

    Example:
        >>> holm([0.01, 0.04, 0.03, None])
        [0.03, 0.06, 0.06, None]

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected
