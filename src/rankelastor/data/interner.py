"""Give each distinct text a number, first come first numbered, while texts stream by."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
from numpy.typing import NDArray


class Interner:
    """A growing dictionary of texts, held natively by Polars. Threads may share it.

    The numbers depend on the order of arrival; they are provisional until the vocabulary is fitted.

    Example:
        >>> interner = Interner()
        >>> interner.codes(pl.Series(["b", "a", "b"])).tolist(), interner.codes(pl.Series(["c", "a"])).tolist()
        ([0, 1, 0], [2, 1])
        >>> interner.values().to_list()
        ['b', 'a', 'c']
    """

    def __init__(self) -> None:
        self._dtype = pl.Categorical(pl.Categories.random())
        # Polars drops the dictionary when no column uses it any more: this one does.
        self._keep = pl.Series([], dtype=self._dtype)
        self._num_values = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._num_values

    def codes(self, texts: pl.Series) -> NDArray[np.uint32]:
        """The number of each text, new numbers for new texts. ``texts`` holds no null."""
        with self._lock:
            codes = texts.cast(self._dtype).to_physical().to_numpy()
            if len(codes):
                self._num_values = max(self._num_values, int(codes.max()) + 1)
        return codes

    def values(self) -> pl.Series:
        """The texts by number."""
        codes = pl.Series(np.arange(self._num_values, dtype=np.uint32))
        values = codes.cat.to(self._dtype).cast(pl.String)
        assert not values.has_nulls(), "Polars left holes in its dictionary"
        return values
