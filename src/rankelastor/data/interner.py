"""Number distinct texts in order of first occurrence while they are read in pieces."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
from numpy.typing import NDArray


class Interner:
    """A growing dictionary of texts, held natively by Polars and safe to share among threads.

    The codes depend on the order of first occurrence; they are provisional until the vocabulary is fitted.

    Example:
        >>> interner = Interner()
        >>> interner.codes(pl.Series(["b", "a", "b"])).tolist(), interner.codes(pl.Series(["c", "a"])).tolist()
        ([0, 1, 0], [2, 1])
        >>> interner.values().to_list()
        ['b', 'a', 'c']
    """

    def __init__(self) -> None:
        self._dtype = pl.Categorical(pl.Categories.random())
        # Polars drops a dictionary that no column uses, so this column keeps it alive.
        self._keep = pl.Series([], dtype=self._dtype)
        self._num_values = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._num_values

    def codes(self, texts: pl.Series) -> NDArray[np.uint32]:
        """Look up the code of each text; new texts get new codes. ``texts`` must hold no null."""
        with self._lock:
            codes = texts.cast(self._dtype).to_physical().to_numpy()
            if len(codes):
                self._num_values = max(self._num_values, int(codes.max()) + 1)
        return codes

    def values(self) -> pl.Series:
        """Return the texts in order of their codes."""
        codes = pl.Series(np.arange(self._num_values, dtype=np.uint32))
        values = codes.cat.to(self._dtype).cast(pl.String)
        assert not values.has_nulls(), "Polars left holes in its dictionary"
        return values
