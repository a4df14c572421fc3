"""Find pairs of categorical features that hold the same information."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rankelastor.data.prepared import PreparedDataset
from rankelastor.data_report.counts import IdCounts

NO_IMAGE = -1


def twins(dataset: PreparedDataset, counts: Mapping[str, IdCounts]) -> list[tuple[str, str]]:
    """Find pairs of features whose ids correspond one to one in every train row.

    Only features with the same sorted counts of ids are compared row by row, so usually no row is read at all.

    Args:
        dataset: the prepared folder.
        counts: counts of the train split by feature; constant features are excluded.
    """
    places = {feature.name: place for place, feature in enumerate(dataset.schema.categorical)}
    alike: dict[bytes, list[str]] = {}
    for name in places:
        held = np.sort(counts[name].rows[counts[name].rows > 0])
        if len(held) > 1:
            alike.setdefault(held.tobytes(), []).append(name)
    pairs = [pair for names in alike.values() for pair in combinations(names, 2)]
    images = {pair: np.full(len(counts[pair[0]].rows), NO_IMAGE, dtype=np.int32) for pair in pairs}
    for shard in dataset.split("train").shards if pairs else ():
        for left, right in list(images):
            columns = shard.categorical[:, places[left]], shard.categorical[:, places[right]]
            if not _maps(*columns, images[left, right]):
                del images[left, right]
    return list(images)


def _maps(left: NDArray[np.int32], right: NDArray[np.int32], image: NDArray[np.int32]) -> bool:
    """Tell whether each id of ``left`` maps to one id of ``right``; ``image`` holds the map found in earlier shards."""
    known = image[left]
    if np.any((known != NO_IMAGE) & (known != right)):
        return False
    image[left] = right
    return bool(np.array_equal(image[left], right))
