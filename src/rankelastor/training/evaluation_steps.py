"""Choose the steps of an epoch after which the valid split is scored."""

from __future__ import annotations


def evaluation_batches(every: int | float | None, *, num_batches: int) -> frozenset[int]:
    """List the numbers of batches of an epoch after which the valid split is scored, its last one included.

    Args:
        every: number of steps between evaluations, which each epoch counts anew; a number below 1 is a share of an
            epoch; None scores after the epoch alone.
        num_batches: number of batches of an epoch.

    Example:
        >>> sorted(evaluation_batches(None, num_batches=10)), sorted(evaluation_batches(4, num_batches=10))
        ([10], [4, 8, 10])
        >>> sorted(evaluation_batches(0.25, num_batches=10)), sorted(evaluation_batches(0.25, num_batches=2))
        ([2, 5, 8, 10], [1, 2])
    """
    if every is None:
        return frozenset({num_batches})
    if every >= 1:
        return frozenset([*range(int(every), num_batches, int(every)), num_batches])
    number = max(1, round(1 / every))
    return frozenset(max(1, round(place * num_batches / number)) for place in range(1, number + 1))
