"""The order of the rows in an epoch: as stored, uniformly shuffled, or shuffled within windows."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from rankelastor.config.training import OrderSettings, UniformOrder, WindowOrder
from rankelastor.data.loading.permutation import Permutation, Places, permutation


class RowOrder(Protocol):
    """A permutation of row numbers with random access."""

    def rows(self, start: int, stop: int) -> Places:
        """Return the row numbers at the positions ``start`` to ``stop - 1``."""


def epoch_order(settings: OrderSettings, num_rows: int, *, seed: int, epoch: int) -> RowOrder:
    """Make the order of one epoch, which depends on (settings, seed, epoch) alone.

    Example:
        >>> order = epoch_order(UniformOrder(), 4, seed=1, epoch=0)
        >>> sorted(order.rows(0, 4).tolist())
        [0, 1, 2, 3]
    """
    match settings:
        case UniformOrder():
            return Shuffled(num_rows, _key(seed, epoch))
        case WindowOrder():
            return ShuffledWindows(
                num_rows, block_rows=settings.block_rows, window_rows=settings.window_rows, seed=seed, epoch=epoch
            )


class StoredOrder:
    """The rows in stored order: row 0, row 1, and so on."""

    def rows(self, start: int, stop: int) -> Places:
        """Return the row numbers at the positions ``start`` to ``stop - 1``."""
        return np.arange(start, stop)


class Shuffled:
    """All rows in uniformly random order."""

    def __init__(self, num_rows: int, key: np.random.SeedSequence) -> None:
        self._permutation = permutation(num_rows, key)

    def rows(self, start: int, stop: int) -> Places:
        """Return the row numbers at the positions ``start`` to ``stop - 1``."""
        return self._permutation.at(np.arange(start, stop))


class ShuffledWindows:
    """Blocks of neighbouring rows in uniform order, then rows in uniform order within windows of that sequence.

    A window draws from ``window_rows / block_rows`` blocks (one or two more if its ends cut blocks), so that the disk
    is read in long pieces. Every row is equally likely at every position. Rows of one block stay in one window (two if
    the block is cut): two of them meet in a batch about ``num_rows / window_rows`` times as often as in a uniform
    order.

    Args:
        num_rows: number of rows in the epoch.
        block_rows: number of neighbouring rows that move together.
        window_rows: number of rows that are shuffled with each other.
        seed: seed of the run.
        epoch: number of the epoch.
    """

    def __init__(self, num_rows: int, *, block_rows: int, window_rows: int, seed: int, epoch: int) -> None:
        self._num_rows = num_rows
        self._window_rows = window_rows
        self._line = _BlockLine(num_rows, block_rows, _key(seed, epoch, 0))
        self._seed, self._epoch = seed, epoch
        self._open: tuple[int, Permutation] | None = None

    def rows(self, start: int, stop: int) -> Places:
        """Return the row numbers at the positions ``start`` to ``stop - 1``."""
        pieces = []
        while start < stop:
            window = start // self._window_rows
            first = window * self._window_rows
            until = min(stop, first + self._window_rows)
            inside = self._inside(window).at(np.arange(start - first, until - first))
            pieces.append(self._line.at(inside + first))
            start = until
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)

    def _inside(self, window: int) -> Permutation:
        """Return the order within a window; cache the latest one, because consecutive batches share it."""
        if self._open is None or self._open[0] != window:
            size = min(self._window_rows, self._num_rows - window * self._window_rows)
            self._open = window, permutation(size, _key(self._seed, self._epoch, 1, window))
        return self._open[1]


class _BlockLine:
    """All rows, block by block in uniform order, rotated by a uniform offset: every row is equally likely anywhere.

    The last, shorter block ends the sequence before the rotation; the others are in uniform order around it.
    """

    def __init__(self, num_rows: int, block_rows: int, key: np.random.SeedSequence) -> None:
        blocks_key, turn_key = key.spawn(2)
        self._num_rows, self._block_rows = num_rows, block_rows
        self._num_full = num_rows // block_rows
        self._blocks = permutation(self._num_full, blocks_key)
        self._turn = int(np.random.Generator(np.random.PCG64(turn_key)).integers(num_rows))

    def at(self, places: Places) -> Places:
        """Return the row numbers at these positions of the sequence."""
        block, inside = np.divmod((places + self._turn) % self._num_rows, self._block_rows)
        full = block < self._num_full
        block[full] = self._blocks.at(block[full])
        rows: Places = block * self._block_rows + inside
        return rows


def _key(seed: int, epoch: int, *purpose: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, epoch], spawn_key=purpose)
