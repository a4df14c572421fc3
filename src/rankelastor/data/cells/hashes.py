"""Hash texts into a fixed number of buckets; the hash is the same on every machine and in every version."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankelastor.data.cells.texts import BLANK, BlankIds
from rankelastor.schema import PADDING_ID


def hashed_ids(texts: pl.Series, *, num_buckets: int, blank: BlankIds) -> NDArray[np.int32]:
    """Hash each text to an id: 1 + murmurhash3_32(UTF-8 bytes, seed 0, unsigned) mod ``num_buckets``.

    Ids 1..``num_buckets`` are buckets, 0 is padding and ``num_buckets`` + 1 is out of vocabulary; ``blank`` selects
    whether a blank text is hashed like any other (``value``) or gets one of these two.

    Example:
        >>> hashed_ids(pl.Series(["a", "b", ""]), num_buckets=10, blank="padding").tolist()
        [1, 6, 0]
    """
    from sklearn.utils import murmurhash3_32  # noqa: PLC0415 - takes over a second, and few data sets have hashed fields

    hashes = np.fromiter((murmurhash3_32(text.encode()) for text in texts), dtype=np.int64, count=len(texts))
    ids = ((hashes & 0xFFFFFFFF) % num_buckets + 1).astype(np.int32)
    if blank != "value":
        ids[(texts == BLANK).to_numpy()] = PADDING_ID if blank == "padding" else num_buckets + 1
    return ids
