"""The rows of a planted log as a stream: any number of fresh rows, each of which depends on its place alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float64, Int8, Int64
from numpy import ndarray

from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.data.planted.truth import Truth, generator
from rankelastor.schema import SPLITS, SplitName

BLOCK_ROWS = 65_536
_ROWS = 3


@dataclass(frozen=True)
class PlantedRows:
    """Neighbouring rows: ids counted from 0, labels, and the true probabilities from which the labels are drawn."""

    codes: Int64[ndarray, "row field"]
    label: Int8[ndarray, " row"]
    probability: Float64[ndarray, " row"]

    def __len__(self) -> int:
        return len(self.label)

    def first(self, num_rows: int) -> Self:
        """Take the first rows."""
        return type(self)(self.codes[:num_rows], self.label[:num_rows], self.probability[:num_rows])


class PlantedStream:
    """The rows of each split, block by block; the streams of the splits have no rows in common.

    Args:
        settings: the settings of the log.

    Example:
        >>> stream = PlantedStream(PlantedSettings(num_fields=4, num_interactions=2, vocabulary=9))
        >>> [len(rows) for rows in stream.rows("train", 100_000)]
        [65536, 34464]
        >>> few, many = (next(stream.rows("train", count)) for count in (10, 100_000))
        >>> bool((few.codes == many.codes[:10]).all())
        True
    """

    def __init__(self, settings: PlantedSettings) -> None:
        self.settings = settings

    @cached_property
    def truth(self) -> Truth:
        """What the rows are drawn from."""
        return Truth.of(self.settings)

    def rows(self, split: SplitName, num_rows: int) -> Iterator[PlantedRows]:
        """Yield the first rows of a split in blocks, which can go on without end."""
        for block in range(-(-num_rows // BLOCK_ROWS)):
            yield self._block(split, block).first(num_rows - block * BLOCK_ROWS)

    def _block(self, split: SplitName, block: int) -> PlantedRows:
        draws = generator(self.settings.seed, _ROWS, SPLITS.index(split), block)
        codes = self.truth.codes(draws, BLOCK_ROWS)
        probability = self.truth.probabilities(codes)
        label = (draws.random(BLOCK_ROWS) < probability).astype(np.int8)
        return PlantedRows(codes, label, probability)
