"""Accumulate counts of ids and moments of numbers, shard by shard, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rankelastor.schema import PADDING_ID

Ids = NDArray[np.int32]


class IdCounts:
    """Number of rows of one split with each id, and number of clicked ones among them: uint32 (id,) each."""

    def __init__(self, num_ids: int) -> None:
        self.rows = np.zeros(num_ids, dtype=np.uint32)
        self.clicks = np.zeros(num_ids, dtype=np.uint32)

    def add(self, ids: Ids, clicked: NDArray[np.bool_]) -> None:
        """Count some rows: ``ids`` (row,), ``clicked`` (row,)."""
        self._count(self.rows, ids)
        self._count(self.clicks, ids[clicked])

    def _count(self, into: NDArray[np.uint32], ids: Ids) -> None:
        if len(ids):
            found = np.bincount(ids)
            into[: len(found)] += found.astype(np.uint32)

    @property
    def num_rows(self) -> int:
        """Number of counted rows, including padding."""
        return int(self.rows.sum())

    def share(self, index: int) -> float:
        """Compute the share of rows with this id; 0 if there are no rows."""
        return int(self.rows[index]) / max(self.num_rows, 1)


class SequenceCounts:
    """Counts of a sequence in one split: ``elements`` by id without padding, ``lengths`` by number of elements."""

    def __init__(self, num_ids: int, max_length: int) -> None:
        self.elements = IdCounts(num_ids)
        self.lengths = IdCounts(max_length + 1)

    def add(self, ids: Ids, clicked: NDArray[np.bool_]) -> None:
        """Count some rows: ``ids`` (row, position), ``clicked`` (row,)."""
        is_element = ids != PADDING_ID
        lengths = is_element.sum(axis=1)
        self.lengths.add(lengths.astype(np.int32), clicked)
        self.elements.add(ids[is_element], np.repeat(clicked, lengths))


@dataclass
class NumberMoments:
    """Accumulator of count, mean, variance and range of numbers that are added in pieces.

    ``blank`` is the number that replaces a blank; ``num_at_blank`` counts its occurrences.

    Example:
        >>> moments = NumberMoments(blank=0.0)
        >>> moments.add(np.array([0.0, 4.0], dtype=np.float32))
        >>> moments.add(np.array([2.0], dtype=np.float32))
        >>> moments.mean, moments.minimum, moments.maximum, moments.num_at_blank
        (2.0, 0.0, 4.0, 1)

    Source: Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    blank: float | None
    num_rows: int = 0
    mean: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    num_at_blank: int = 0
    _squares: float = 0.0

    def add(self, numbers: NDArray[np.float32]) -> None:
        """Add a piece of at least one number."""
        piece = numbers.astype(np.float64)
        mean, total = float(piece.mean()), self.num_rows + len(piece)
        apart = mean - self.mean
        self._squares += float(((piece - mean) ** 2).sum()) + apart**2 * self.num_rows * len(piece) / total
        self.mean += apart * len(piece) / total
        self.num_rows = total
        self.minimum, self.maximum = min(self.minimum, float(piece.min())), max(self.maximum, float(piece.max()))
        if self.blank is not None:
            self.num_at_blank += int((numbers == np.float32(self.blank)).sum())

    @property
    def standard_deviation(self) -> float:
        """Population standard deviation."""
        return math.sqrt(self._squares / self.num_rows)


@dataclass
class WeightSums:
    """Accumulator of weights that are added shard by shard.

    Example:
        >>> sums = WeightSums()
        >>> sums.add(np.array([0.0, 3.0, 1.0]), np.array([True, True, False]))
        >>> sums.num_rows, sums.num_zero, sums.total, sums.positive
        (3, 1, 4.0, 3.0)
    """

    num_rows: int = 0
    num_zero: int = 0
    total: float = 0.0
    positive: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, weight: NDArray[Any], clicked: NDArray[np.bool_]) -> None:
        """Add the weights of at least one row, with their labels."""
        self.num_rows += len(weight)
        self.num_zero += int((weight == 0).sum())
        self.total += float(weight.sum(dtype=np.float64))
        self.positive += float(weight[clicked].sum(dtype=np.float64))
        self.minimum = min(self.minimum, float(weight.min()))
        self.maximum = max(self.maximum, float(weight.max()))


def sample_rows(num_rows: int, size: int) -> NDArray[np.int64]:
    """Draw a fixed sample of row numbers, ascending: all rows, or one from each of ``size`` equal intervals.

    Example:
        >>> sample_rows(3, 5).tolist()
        [0, 1, 2]
        >>> len(sample_rows(1000, 5))
        5
    """
    if num_rows <= size:
        return np.arange(num_rows)
    borders = np.arange(size + 1) * num_rows // size
    return np.random.default_rng(0).integers(borders[:-1], borders[1:])
